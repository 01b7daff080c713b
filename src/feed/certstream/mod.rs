//! A certstream server over WebSocket.
