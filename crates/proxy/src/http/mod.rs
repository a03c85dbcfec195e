//! HTTP: the protocols, and the one request and one body they meet in.

pub mod answer;
pub mod body;
pub mod forwarded;
pub mod h1;
pub mod h2;
pub mod ids;
pub mod interim;
pub mod replay;
pub mod time_left;
pub mod wait;
