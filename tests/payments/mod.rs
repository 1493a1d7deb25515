//! The payment client against servers that others wrote.

mod localstripe;
