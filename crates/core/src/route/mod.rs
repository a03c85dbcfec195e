//! Finding the route that takes a request.
