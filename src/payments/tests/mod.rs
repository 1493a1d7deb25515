//! The client against small servers, and messages as the provider's own library signs them.

mod agreements;
mod requests;
mod server;
mod signatures;
