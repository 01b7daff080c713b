//! The upgrade from HTTP to WebSocket, and what a server's refusal of it means.

use std::time::Duration;

use jiff::Timestamp;
use tungstenite::Error as WsError;
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::Request;
use tungstenite::http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER, USER_AGENT};
use tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tungstenite::protocol::WebSocketConfig;

use super::settings::{STREAMS, Settings, shown};
use super::trouble::{Trouble, escaped};
use super::wire::{Tap, Wire};
use crate::connect::{Connection, retry_after};
use crate::error::Error;
use crate::stop::Stop;
use crate::update::MAX_FRAME;

/// Who we are. Said because a proxy in front of a server may turn away clients that do not say.
const OUR_NAME: &str = concat!("certstream/", env!("CARGO_PKG_VERSION"));

/// The longest a server may make us stay away: a mistaken date must not silence a feed for days.
const LONGEST_STAY_AWAY: Duration = Duration::from_secs(3600);

/// tungstenite traces the request as it is sent, token and all: such traces must not be compiled.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize);

/// Asks for the stream over a fresh connection, whose deadline still stands.
pub(super) fn upgrade<'s>(
    settings: &Settings,
    connection: Connection<'s>,
    stop: &Stop,
) -> Result<Wire<Connection<'s>>, Trouble> {
    let config = WebSocketConfig::default()
        // It reads what is rare, and zeroes all of its buffer each time.
        .read_buffer_size(4 * 1024)
        // We send pings and pongs only, each flushed; a peer that leaves them unread is noticed
        // long before this much has gathered.
        .write_buffer_size(1024)
        .max_write_buffer_size(64 * 1024)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    match client_with_config(request(settings)?, Tap::new(connection), Some(config)) {
        Ok((socket, _response)) => Ok(Wire::new(socket)),
        Err(_) if stop.is_requested() => Err(Trouble::Stopped),
        // The socket waits by itself: it gives up at the deadline alone.
        Err(HandshakeError::Interrupted(_)) => {
            Err(Trouble::passing("time ran out while waiting for the server's answer"))
        }
        Err(HandshakeError::Failure(WsError::Http(response))) => {
            Err(refused(response.status(), response.headers(), settings))
        }
        Err(HandshakeError::Failure(error)) => Err(Trouble::passing(format!(
            "no WebSocket could be agreed on: {}",
            escaped(&error.to_string())
        ))),
    }
}

fn request(settings: &Settings) -> Result<Request, Trouble> {
    let mut request = settings.uri().into_client_request().map_err(|error| {
        // Not foreseen: the settings have been checked.
        Trouble::lasting(Error::usage(format!("{}: {error}", settings.feed_name())))
    })?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    if let Some(authorization) = settings.authorization() {
        request.headers_mut().insert(AUTHORIZATION, authorization.clone());
    }
    Ok(request)
}

/// What an answer other than the upgrade means.
fn refused(status: StatusCode, headers: &HeaderMap, settings: &Settings) -> Trouble {
    let name = settings.feed_name();
    let token_sent = settings.authorization().is_some();
    let error = |why: &str, remedy: String| {
        Error::failed(format!("{name}: the server answered {status}: {why}")).remedy(remedy)
    };
    let lasting = |why: &str, remedy| Trouble::lasting(error(why, remedy));
    let refused = |why: &str, remedy| Trouble::Refused { error: error(why, remedy) };
    match status.as_u16() {
        401 if token_sent => lasting(
            "it does not accept the token",
            "check the token where `token_env` or `token_file` says it is".into(),
        ),
        401 => lasting(
            "it wants a token",
            "put the token into an environment variable and name that as `token_env`, or into a \
             file and name that as `token_file`"
                .into(),
        ),
        403 => refused(
            "it does not let us in",
            "ask its operator to add this machine's address to the allow-list, or check the token"
                .into(),
        ),
        404 => refused(
            "this stream is disabled on that server, or does not exist",
            format!("write another path: {STREAMS}"),
        ),
        code => Trouble::Passing {
            what: format!("the server answered {status}: {}", passing(code, headers)),
            stay_away: headers.get(RETRY_AFTER).and_then(|value| {
                retry_after(value.to_str().ok()?, Timestamp::now(), LONGEST_STAY_AWAY)
            }),
            level: log::Level::Warn,
        },
    }
}

/// Why an answer that may be another one next time was given.
fn passing(code: u16, headers: &HeaderMap) -> String {
    match code {
        429 => "we have connected too often".into(),
        502..=504 | 520..=527 => "the server behind its proxy is down".into(),
        300..=399 => {
            let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
            format!(
                "the stream has moved to {}; write that",
                escaped(shown(location.unwrap_or("nowhere")))
            )
        }
        200..=299 => format!("no WebSocket is offered there; streams are usually {STREAMS}"),
        _ => "not the upgrade we asked for".into(),
    }
}
