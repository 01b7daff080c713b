//! Addresses of servers that are asked over HTTP, remembered for a while.
//!
//! Owns how long. `ureq` alone resolves a host's name for each request, on a thread made for it,
//! and so even where a connection is open already: for tiles that is a large part of their cost.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long addresses are good for. A host that moves is found again after that; resolvers keep
/// most for longer.
const KEPT: Duration = Duration::from_secs(60);

/// The addresses that `R` found, for [`KEPT`].
#[derive(Debug, Default)]
pub(super) struct Addresses<R = DefaultResolver> {
    resolver: R,
    /// By host and port.
    known: Mutex<HashMap<String, (Instant, ResolvedSocketAddrs)>>,
}

impl<R: Resolver> Resolver for Addresses<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = (uri.scheme(), uri.authority());
        let host = scheme.zip(authority).and_then(|(s, a)| DefaultResolver::host_and_port(s, a));
        let Some(host) = host else {
            return self.resolver.resolve(uri, config, timeout);
        };
        let now = Instant::now();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, addresses)) = known().get(&host)
            && now.duration_since(*since) < KEPT
        {
            return Ok(addresses.clone());
        }
        // Not under the lock: others need not wait for a slow name server.
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        let mut known = known();
        known.retain(|_, (since, _)| now.duration_since(*since) < KEPT);
        known.insert(host, (now, addresses.clone()));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU16, Ordering};

    /// Answers each time with the next port.
    #[derive(Debug, Default)]
    struct Counting(AtomicU16);

    impl Resolver for Counting {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            addresses.push(([192, 0, 2, 1], self.0.fetch_add(1, Ordering::Relaxed)).into());
            Ok(addresses)
        }
    }

    fn port(addresses: &Addresses<Counting>, url: &str) -> u16 {
        let uri = url.parse().unwrap();
        let found = addresses.resolve(&uri, &Config::default(), NextTimeout::default());
        found.unwrap()[0].port()
    }

    #[test]
    fn a_host_is_looked_up_once_and_again_when_that_was_long_ago() {
        let addresses = Addresses::<Counting>::default();
        assert_eq!(port(&addresses, "https://log.example/a"), 0);
        assert_eq!(port(&addresses, "https://log.example:443/b"), 0);
        assert_eq!(port(&addresses, "http://log.example/a"), 1, "another port is another server");
        assert_eq!(port(&addresses, "https://other.example/a"), 2);
        let long_ago = Instant::now().checked_sub(KEPT).unwrap();
        addresses.known.lock().unwrap().values_mut().for_each(|(since, _)| *since = long_ago);
        assert_eq!(port(&addresses, "https://log.example/a"), 3);
        assert_eq!(addresses.known.lock().unwrap().len(), 1, "the others are forgotten");
    }
}
