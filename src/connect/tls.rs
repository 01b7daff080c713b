//! Whom we trust, and the TLS handshake.
//!
//! Owns the reading of the extra CA file and the telling apart of certificates that are refused.
//! Verification is never switched off: there is no setting for it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use native_tls::{Certificate, HandshakeError, TlsConnector, TlsStream};

use super::fault::ConnectFault;
use super::socket::Socket;
use crate::error::{Error, Result};

/// The certificate authorities a server's certificate must lead to.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
}

impl Trust {
    /// The system's authorities, and those in `ca_file` (PEM, one or more) beside them.
    ///
    /// # Errors
    /// When `ca_file` cannot be read, holds no certificate or one that OpenSSL refuses; when
    /// without it nobody at all would be trusted.
    pub fn load(ca_file: Option<&Path>) -> Result<Self> {
        let mut builder = TlsConnector::builder();
        match ca_file {
            Some(file) => {
                for authority in authorities(file)? {
                    builder.add_root_certificate(authority);
                }
            }
            None => check_system()?,
        }
        let connector = builder.build().map_err(|error| {
            Error::failed(format!("TLS cannot be set up: {error}"))
                .remedy("check the installation of OpenSSL and its configuration file")
        })?;
        Ok(Self { connector })
    }

    /// Secures `socket` as a connection to `host`, a name or an address.
    pub(super) fn secure<'s>(
        &self,
        host: &str,
        socket: Socket<'s>,
    ) -> Result<TlsStream<Socket<'s>>, ConnectFault> {
        self.connector.connect(host, socket).map_err(|error| match error {
            HandshakeError::Failure(error) => fault(&error),
            // The socket waits by itself: it gives up at the deadline or for a stop alone.
            HandshakeError::WouldBlock(_) => ConnectFault::TimedOut("securing the connection"),
        })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// The certificates in a PEM file. Read here and not by native-tls, which hides what it refuses.
fn authorities(file: &Path) -> Result<Vec<Certificate>> {
    let remedy = "write one or more certificates as PEM (-----BEGIN CERTIFICATE-----)";
    let pem = fs::read(file).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "check the path of `ca_file`",
            io::ErrorKind::PermissionDenied => "let the user who runs certstream read it",
            _ => remedy,
        };
        Error::usage(format!("the CA file cannot be read: {error}")).in_file(file).remedy(remedy)
    })?;
    let authorities = Certificate::stack_from_pem(&pem).map_err(|error| {
        Error::usage(format!("the CA file holds a broken certificate: {error}"))
            .in_file(file)
            .remedy(remedy)
    })?;
    if authorities.is_empty() {
        return Err(Error::usage("the CA file holds no certificate").in_file(file).remedy(remedy));
    }
    Ok(authorities)
}

/// Whether the system trusts anybody: OpenSSL says nothing when its store is missing.
fn system_has_authorities() -> bool {
    let found = openssl_probe::probe();
    found.cert_file.is_some()
        || found.cert_dir.iter().any(|dir| {
            fs::read_dir(dir).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()))
        })
}

/// Without a file of our own the system must trust somebody.
fn check_system() -> Result<()> {
    if system_has_authorities() {
        return Ok(());
    }
    Err(Error::usage("this system has no store of certificate authorities")
        .remedy("install the package `ca-certificates`, or name a `ca_file`"))
}

/// All authorities to trust with `ca_file`, the system's among them, DER; none without a file,
/// when OpenSSL's own defaults serve.
///
/// # Errors
/// As [`Trust::load`].
pub(super) fn extra_roots(ca_file: Option<&Path>) -> Result<Option<Vec<Vec<u8>>>> {
    let Some(file) = ca_file else { return check_system().map(|()| None) };
    let mut roots = authorities(file)?;
    let found = openssl_probe::probe();
    roots.extend(system_authorities(found.cert_file.as_deref(), &found.cert_dir));
    let der = |root: &Certificate| {
        root.to_der().map_err(|error| {
            Error::usage(format!("the CA file holds a broken certificate: {error}")).in_file(file)
        })
    };
    // A directory holds what the bundle holds, and often twice.
    let roots: BTreeSet<Vec<u8>> = roots.iter().map(der).collect::<Result<_>>()?;
    Ok(Some(roots.into_iter().collect()))
}

/// The authorities in the system's bundle and in its directories. What it trusts is not ours to
/// judge: a file that cannot be read is none.
fn system_authorities(bundle: Option<&Path>, folders: &[PathBuf]) -> Vec<Certificate> {
    let listed = folders.iter().filter_map(|folder| fs::read_dir(folder).ok());
    let listed = listed.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let files = bundle.map(Path::to_path_buf).into_iter().chain(listed);
    files
        .filter_map(|file| Certificate::stack_from_pem(&fs::read(file).ok()?).ok())
        .flatten()
        .collect()
}

/// Tells apart why a handshake failed. native-tls keeps OpenSSL's verdict on the certificate to
/// itself and only appends its text, in parentheses, to the error's.
pub(super) fn fault(error: &native_tls::Error) -> ConnectFault {
    let text = error.to_string();
    let verdict = text.rsplit_once('(').map_or("", |(_, verdict)| verdict.trim_end_matches(')'));
    match verdict {
        "hostname mismatch" | "Hostname mismatch" | "IP address mismatch" => {
            ConnectFault::WrongHost
        }
        "certificate has expired" => ConnectFault::Expired,
        "certificate is not yet valid" => ConnectFault::NotYetValid,
        // OpenSSL 1.1 writes "self signed", 3 "self-signed".
        "unable to get local issuer certificate"
        | "unable to get issuer certificate"
        | "unable to verify the first certificate"
        | "self-signed certificate"
        | "self signed certificate"
        | "self-signed certificate in certificate chain"
        | "self signed certificate in certificate chain" => ConnectFault::UnknownAuthority,
        _ => ConnectFault::Tls(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_trusts_may_stand_in_a_bundle_or_in_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let pem = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.self_signed(&key).unwrap().pem()
        };
        let certs = folder.path().join("certs");
        fs::create_dir(&certs).unwrap();
        fs::write(certs.join("0a1b2c3d.0"), pem("one.example")).unwrap();
        fs::write(certs.join("README"), "no certificate").unwrap();
        let bundle = folder.path().join("bundle.pem");
        fs::write(&bundle, pem("two.example") + &pem("three.example")).unwrap();
        let folders = [certs, folder.path().join("absent")];
        assert_eq!(system_authorities(None, &folders).len(), 1);
        assert_eq!(system_authorities(Some(&bundle), &folders).len(), 3);
        assert_eq!(system_authorities(Some(&bundle), &[]).len(), 2);
    }

    #[test]
    fn a_ca_file_that_cannot_serve_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let refused = |what: &str| {
            let error = Trust::load(Some(&file)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: {what}", file.display())), "{error}");
            assert!(error.contains("remedy: "), "{error}");
        };
        refused("the CA file cannot be read");
        fs::write(&file, "").unwrap();
        refused("the CA file holds no certificate");
        fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        refused("the CA file holds a broken certificate");
    }
}
