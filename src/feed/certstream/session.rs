//! One connection's life after the upgrade: frames in, pings out, until it ends. What is received at
//! once is taken in together, between two looks at the clock.
//!
//! Owns the session's deadlines, all in [`Session::next_deadline`]: the next ping, the server's
//! reading of what we send, and the next certificate. Never waits while the server may have more
//! for us: what we send waits in tungstenite's buffer if it must.

use std::io;
use std::time::{Duration, Instant};

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Error as WsError, Message};

use super::settings::Timings;
use super::trouble::{Trouble, escaped};
use super::unseen::Unseen;
use super::wire::{Arrival, Wire};
use crate::batch::Closed;
use crate::connect::Connection;
use crate::feed::Intake;
use crate::stop::Stop;
use crate::update::FrameFault;

/// What our pings carry: short, since some servers accept no more than 512 bytes from us.
const PING: &[u8] = b"certstream";

/// A connection on which frames are received.
pub(super) struct Session<'a, 's> {
    wire: Wire<Connection<'s>>,
    intake: &'a mut Intake,
    unseen: &'a mut Unseen,
    stop: &'s Stop,
    timings: &'a Timings,
    started: Instant,
    /// When the last certificate came, or the session started.
    heard: Instant,
    /// When our next ping goes out.
    ping_due: Instant,
    /// Since when something we wrote has been waiting for the server to read.
    unsent_since: Option<Instant>,
}

impl<'a, 's> Session<'a, 's> {
    pub fn new(
        mut wire: Wire<Connection<'s>>,
        intake: &'a mut Intake,
        unseen: &'a mut Unseen,
        stop: &'s Stop,
        timings: &'a Timings,
    ) -> Self {
        wire.stream().socket().stop_waiting();
        let started = Instant::now();
        let ping_due = started + until_ping(timings);
        Self {
            wire,
            intake,
            unseen,
            stop,
            timings,
            started,
            heard: started,
            ping_due,
            unsent_since: None,
        }
    }

    /// Receives until the connection or the run ends; says why, and for how long certificates
    /// came.
    pub fn run(mut self) -> (Trouble, Duration) {
        // Frames may have come together with the answer to the upgrade.
        let mut outcome = self.take_all(self.started);
        loop {
            if let Err(trouble) = outcome {
                return (trouble, self.heard.duration_since(self.started));
            }
            outcome = self.step();
        }
    }

    /// Takes in what has come, or waits for the next reason to go on.
    fn step(&mut self) -> Result<(), Trouble> {
        if self.stop.is_requested() {
            self.say_goodbye();
            return Err(Trouble::Stopped);
        }
        let now = Instant::now();
        self.intake.tick(now)?;
        self.keep_sending(now)?;
        if now.duration_since(self.heard) >= self.timings.silent {
            return Err(Trouble::Stall { silent: self.timings.silent });
        }
        let look_up = self.next_deadline();
        self.wire.stream().socket().look_up_at(look_up);
        match self.wire.receive() {
            Ok(()) => self.take_all(now),
            // Nothing is left in any buffer: hand over what there is before sleeping.
            Err(error) if would_block(&error) => {
                self.intake.flush()?;
                self.unseen.before_sleep();
                self.wait()
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Takes in all that has been received whole.
    fn take_all(&mut self, now: Instant) -> Result<(), Trouble> {
        loop {
            match self.wire.next() {
                Ok(Some(Arrival::Frame(place))) => {
                    let frame = self.wire.frame(place);
                    take_frame(self.intake, self.unseen, &mut self.heard, frame, now)?;
                }
                Ok(Some(Arrival::Message(message))) => self.take(message, now)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    fn take(&mut self, message: Message, now: Instant) -> Result<(), Trouble> {
        let mut frame =
            |frame: &[u8]| take_frame(self.intake, self.unseen, &mut self.heard, frame, now);
        match message {
            Message::Text(text) => Ok(frame(text.as_bytes())?),
            Message::Binary(bytes) => Ok(frame(&bytes)?),
            // tungstenite has queued the pong; it shall leave at once.
            Message::Ping(_) => self.flush(now),
            Message::Close(frame) => {
                // Its answer is queued likewise. Nothing depends on its arrival.
                let _ = self.wire.sender().flush();
                Err(Trouble::passing(closed_by_server(frame.as_ref())))
            }
            // `Frame` is never read, only written.
            Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    /// Sends the ping when it is due, and what could not be sent before.
    fn keep_sending(&mut self, now: Instant) -> Result<(), Trouble> {
        if now >= self.ping_due {
            self.ping_due = now + until_ping(self.timings);
            match self.wire.sender().write(Message::Ping(Bytes::from_static(PING))) {
                Ok(()) => {}
                // What is waiting already keeps the connection as well as this one would.
                Err(WsError::WriteBufferFull(_)) => {}
                Err(error) if would_block(&error) => {}
                Err(error) => return Err(self.lost(&error)),
            }
            self.flush(now)
        } else if self.unsent_since.is_some() {
            self.flush(now)
        } else {
            Ok(())
        }
    }

    /// Sends what is queued, as far as the server reads it.
    fn flush(&mut self, now: Instant) -> Result<(), Trouble> {
        match self.wire.sender().flush() {
            Ok(()) => {
                self.unsent_since = None;
                Ok(())
            }
            Err(error) if would_block(&error) => {
                let since = *self.unsent_since.get_or_insert(now);
                if now.duration_since(since) >= self.timings.unread {
                    return Err(Trouble::passing("the server does not read what we send"));
                }
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn wait(&mut self) -> Result<(), Trouble> {
        let deadline = self.next_deadline();
        let to_write = self.unsent_since.is_some();
        self.wire
            .stream()
            .socket()
            .wait(to_write, deadline)
            .map_err(|error| Trouble::passing(format!("the connection cannot be polled: {error}")))
    }

    /// When to look again though nothing has arrived.
    fn next_deadline(&self) -> Instant {
        let due = self.ping_due.min(self.heard + self.timings.silent);
        let due = self.intake.next_look().map_or(due, |look| due.min(look));
        self.unsent_since.map_or(due, |since| due.min(since + self.timings.unread))
    }

    /// Tells the server that we leave, if that needs no waiting.
    fn say_goodbye(&mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "".into() };
        let _ = self.wire.sender().close(Some(frame));
    }

    /// Counts a frame that the server sent but that never came through.
    fn refuse(&self, fault: FrameFault) {
        let stats = self.intake.stats();
        stats.frames.add(1);
        stats.refuse(fault);
    }

    /// What the end of the connection means.
    fn lost(&mut self, error: &WsError) -> Trouble {
        match error {
            WsError::Utf8(_) => {
                // The WebSocket protocol makes a bad text frame the end of its connection.
                self.refuse(FrameFault::NotUtf8);
                Trouble::passing("the server sent text that is not UTF-8")
            }
            WsError::Capacity(_) => {
                self.refuse(FrameFault::TooLarge);
                Trouble::passing(format!(
                    "the server sent a frame larger than we accept: {}",
                    escaped(&error.to_string())
                ))
            }
            _ => Trouble::passing(format!("connection lost: {}", escaped(&error.to_string()))),
        }
    }
}

/// Takes in a frame; one with a certificate was `heard` now.
fn take_frame(
    intake: &mut Intake,
    unseen: &mut Unseen,
    heard: &mut Instant,
    frame: &[u8],
    now: Instant,
) -> Result<(), Closed> {
    let before = intake.stats().updates.get();
    intake.frame(frame)?;
    if intake.stats().updates.get() > before {
        *heard = now;
        unseen.certificate(intake, now)?;
    }
    Ok(())
}

/// The time to the next ping: a third more or less, so that many clients do not ping as one.
fn until_ping(timings: &Timings) -> Duration {
    timings.ping + timings.ping.mul_f64(fastrand::f64() / 3.0)
}

fn would_block(error: &WsError) -> bool {
    matches!(error, WsError::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn closed_by_server(frame: Option<&CloseFrame>) -> String {
    match frame {
        None => "the server closed the connection".into(),
        Some(frame) if frame.reason.is_empty() => {
            format!("the server closed the connection with code {}", u16::from(frame.code))
        }
        Some(frame) => format!(
            "the server closed the connection with code {}: {}",
            u16::from(frame.code),
            escaped(&frame.reason)
        ),
    }
}
