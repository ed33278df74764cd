//! What may stand before the target: a proxy, and a server that wants a client certificate.
//!
//! Both pass requests without a body on, one a connection. What the target answers is its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::peer::{Peer, Raw};

/// A proxy for plain HTTP: it asks whatever server the request's URL names.
pub(crate) fn proxy() -> Raw {
    Raw::serving(|stream, head| {
        let mut words = head[0].splitn(3, ' ');
        let (Some(method), Some(url)) = (words.next(), words.next()) else {
            return;
        };
        let Some((host, path)) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
        else {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            return;
        };
        let first = format!("{method} /{path} HTTP/1.1");
        pass_on(host, &first, &head[1..], stream);
    })
}

/// Sends a request on and writes down the answer to it.
fn pass_on(host: &str, first: &str, headers: &[String], answer: &mut impl Write) {
    let is_for_the_next = |line: &&String| {
        let line = line.to_lowercase();
        !line.starts_with("proxy-") && !line.starts_with("connection:")
    };
    let headers: Vec<_> = headers.iter().filter(is_for_the_next).cloned().collect();
    let request = format!(
        "{first}\r\n{}\r\nconnection: close\r\n\r\n",
        headers.join("\r\n")
    );
    let mut read = Vec::new();
    if let Ok(mut server) = TcpStream::connect(host) {
        let _ = server
            .write_all(request.as_bytes())
            .and_then(|()| server.read_to_end(&mut read));
    }
    let _ = answer.write_all(&read).and_then(|()| answer.flush());
}

/// TLS before another server, for clients with a certificate only.
pub(crate) struct Strict {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    folder: tempfile::TempDir,
}

impl Strict {
    /// Lets those in whose certificate is signed by this authority, a PEM file.
    pub(crate) fn before(peer: &impl Peer, authority: &Path) -> Strict {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = Arc::new(config(authority, own.cert.der().clone(), key));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let host = peer.url().replace("http://", "");
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (config, host) = (Arc::clone(&config), host.clone());
                std::thread::spawn(move || guard(stream, config, &host));
            }
        });
        Strict {
            address,
            over,
            folder,
        }
    }

    /// The authority that signed the server's own certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn config(
    authority: &Path,
    own: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).unwrap())
        .unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![own], key)
        .unwrap()
}

fn guard(stream: TcpStream, config: Arc<ServerConfig>, host: &str) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    for line in BufReader::new(&mut stream).lines() {
        match line {
            Ok(line) if line.is_empty() => break,
            Ok(line) => head.push(line),
            // It has no certificate, or is gone.
            Err(_) => return,
        }
    }
    if let Some((first, headers)) = head.split_first() {
        pass_on(host, first, headers, &mut stream);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

impl Peer for Strict {
    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}
