//! Outgoing connections: name resolution, TCP, TLS, deadlines.
