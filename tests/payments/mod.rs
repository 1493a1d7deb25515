//! The payment client against servers that others wrote.

mod localstripe;
mod mishaps;
mod story;
mod webhooks;
