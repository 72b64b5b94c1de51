//! Signatures over the bytes that were sent: the raw query followed by the raw body, without the `signature` parameter
//! and without a separator (Binance `rest-api.md`, "SIGNED Endpoint security"). Three kinds of key: HMAC-SHA256 (its
//! signatures are hexadecimal in either case), RSA (PKCS#1 v1.5, SHA-256) and Ed25519 (theirs are base64).
//!
//! Nothing is decoded or encoded again on the way: `%20` and `+`, `%3a` and `%3A` are different payloads, as they
//! are at the exchange.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use spki::der::asn1::{AnyRef, BitString, UintRef};
use spki::der::pem::PemLabel;
use spki::der::{Decode as _, Document, Reader as _, SliceReader};
use spki::{ObjectIdentifier, SubjectPublicKeyInfo};
use subtle::ConstantTimeEq;

/// Checks signatures made with one key. Of an HMAC secret it holds the keyed state only, never the secret itself.
#[derive(Clone)]
pub(crate) enum Verifier {
    Hmac(Hmac<Sha256>),
    Rsa(UnparsedPublicKey<Vec<u8>>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

/// Why a text is no public key that an account can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PublicKeyError(&'static str);

const NO_PEM: PublicKeyError = PublicKeyError("it is no PEM of the kind `-----BEGIN PUBLIC KEY-----`");
const NO_KEY: PublicKeyError = PublicKeyError("what is in the PEM is no public key");
const OTHER_ALGORITHM: PublicKeyError = PublicKeyError("it is neither an RSA nor an Ed25519 key");
const RSA_SIZE: PublicKeyError = PublicKeyError("an RSA key has 2048 to 8192 bits");
const ED25519_SIZE: PublicKeyError = PublicKeyError("an Ed25519 key has 32 bytes");

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

impl Verifier {
    pub(crate) fn hmac(secret: &SecretString) -> Option<Self> {
        Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok().map(Self::Hmac)
    }

    /// The key of a PEM as `openssl pkey -pubout` writes it.
    pub(crate) fn public_key(pem: &str) -> Result<Self, PublicKeyError> {
        let (label, document) = Document::from_pem(pem.trim()).map_err(|_| NO_PEM)?;
        SubjectPublicKeyInfo::<AnyRef<'_>, BitString>::validate_pem_label(label).map_err(|_| NO_PEM)?;
        let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitString>::from_der(document.as_bytes()).map_err(|_| NO_KEY)?;
        let key = info.subject_public_key.as_bytes().ok_or(NO_KEY)?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                check_rsa(key)?;
                Ok(Self::Rsa(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.to_vec())))
            }
            ID_ED25519 if key.len() == 32 => Ok(Self::Ed25519(UnparsedPublicKey::new(&ED25519, key.to_vec()))),
            ID_ED25519 => Err(ED25519_SIZE),
            _ => Err(OTHER_ALGORITHM),
        }
    }

    /// Whether it is of the one kind that may open a session.
    pub(crate) const fn is_ed25519(&self) -> bool {
        matches!(self, Self::Ed25519(_))
    }

    /// Whether `signature` was made over this query and body.
    pub(crate) fn accepts(&self, query: &[u8], body: &[u8], signature: &str) -> bool {
        match self {
            Self::Hmac(keyed) => {
                let mut claimed = [0; 32];
                if hex::decode_to_slice(signature, &mut claimed).is_err() {
                    return false;
                }
                let mut mac = keyed.clone();
                signed_parts(query, body, |part| mac.update(part));
                let actual = mac.finalize().into_bytes();
                bool::from(actual.as_slice().ct_eq(&claimed))
            }
            Self::Rsa(key) | Self::Ed25519(key) => {
                let Ok(claimed) = STANDARD.decode(signature) else { return false };
                let mut payload = Vec::with_capacity(query.len() + body.len());
                signed_parts(query, body, |part| payload.extend_from_slice(part));
                key.verify(&payload, &claimed).is_ok()
            }
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

/// Whether ring takes this RSA key. It looks at a key only when it verifies, which would be too late to complain, so
/// the two numbers are read here.
fn check_rsa(key: &[u8]) -> Result<(), PublicKeyError> {
    let read = |reader: &mut SliceReader<'_>| -> spki::der::Result<usize> {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        Ok(modulus.as_bytes().len())
    };
    let bytes = SliceReader::new(key).and_then(|mut reader| reader.sequence(read)).map_err(|_| NO_KEY)?;
    if (256..=1024).contains(&bytes) { Ok(()) } else { Err(RSA_SIZE) }
}

/// Gives out what is signed: everything but the `signature` pair, which may stand anywhere.
fn signed_parts(query: &[u8], body: &[u8], mut take: impl FnMut(&[u8])) {
    for raw in [query, body] {
        let mut first = true;
        for pair in raw.split(|byte| *byte == b'&') {
            if pair.starts_with(b"signature=") || pair == b"signature" {
                continue;
            }
            if !first {
                take(b"&");
            }
            first = false;
            take(pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn verifier(secret: &str) -> Verifier {
        Verifier::hmac(&SecretString::from(secret)).expect("any secret is a key")
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        secret: String,
        query: String,
        body: String,
        signature: String,
    }

    #[test]
    fn the_published_vectors_verify_and_a_changed_byte_does_not() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../tests/data/signing_vectors.json")).expect("readable vectors");
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            let verifier = verifier(&vector.secret);
            let check = |query: &str, body: &str, signature: &str| {
                verifier.accepts(query.as_bytes(), body.as_bytes(), signature)
            };
            let (query, body, signature) = (&vector.query, &vector.body, &vector.signature);
            assert!(check(query, body, signature), "{}", vector.name);
            assert!(check(query, body, &signature.to_uppercase()), "{}", vector.name);
            assert!(!check(&format!("{query}0"), body, signature), "{}", vector.name);
            assert!(!check(query, &format!("{body}0"), signature), "{}", vector.name);
        }
    }

    #[test]
    fn the_signature_may_stand_anywhere() {
        let verifier = verifier(SECRET);
        let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        let (head, tail) = (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        );
        for query in [
            format!("signature={signature}&{head}&{tail}"),
            format!("{head}&signature={signature}&{tail}"),
            format!("{head}&{tail}&signature={signature}"),
        ] {
            assert!(verifier.accepts(query.as_bytes(), b"", signature), "{query}");
        }
        let body = format!("signature={signature}");
        let query = format!("{head}&{tail}");
        assert!(verifier.accepts(query.as_bytes(), body.as_bytes(), signature));
    }

    #[test]
    fn encodings_are_not_interchangeable() {
        let verifier = verifier(SECRET);
        let signature = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3";
        let upper = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT\
                     &timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        assert!(verifier.accepts(upper.as_bytes(), b"", signature));
        let lower = upper.replace("%EF%BC", "%ef%bc");
        assert!(!verifier.accepts(lower.as_bytes(), b"", signature));
    }

    #[test]
    fn neither_garbage_nor_a_short_signature_passes() {
        let verifier = verifier(SECRET);
        for signature in ["", "zz", "c8db", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b7"] {
            assert!(!verifier.accepts(b"a=1", b"", signature));
        }
    }

    #[derive(serde::Deserialize)]
    struct PublicKeyVector {
        name: String,
        public_key: String,
        payload: String,
        signature: String,
    }

    fn public_key_vectors() -> Vec<PublicKeyVector> {
        serde_json::from_str(include_str!("../../tests/data/public_key_vectors.json")).expect("readable vectors")
    }

    /// The other case for the first letter that has one.
    fn other_case(text: &str) -> String {
        let at = text.find(|letter: char| letter.is_ascii_alphabetic()).expect("a letter");
        let (head, tail) = text.split_at(at);
        let (letter, rest) = tail.split_at(1);
        let turned = if letter == letter.to_uppercase() { letter.to_lowercase() } else { letter.to_uppercase() };
        format!("{head}{turned}{rest}")
    }

    #[test]
    fn public_keys_accept_what_their_owner_signed_and_nothing_else() {
        let vectors = public_key_vectors();
        assert_eq!(vectors.len(), 5);
        for PublicKeyVector { name, public_key, payload, signature } in &vectors {
            let verifier = Verifier::public_key(public_key).expect(name);
            let check = |payload: &str, signature: &str| verifier.accepts(payload.as_bytes(), b"", signature);
            assert!(check(payload, signature), "{name}");
            let (query, body) = payload.as_bytes().split_at(payload.len() / 2);
            assert!(verifier.accepts(query, body, signature), "{name}: no separator between query and body");
            assert!(check(&format!("{payload}&signature=x"), signature), "{name}: the signature is not signed");
            for at in 0..payload.len() {
                let mut changed = payload.clone().into_bytes();
                changed[at] ^= 1;
                let (from, to) = (char::from(payload.as_bytes()[at]), char::from(changed[at]));
                assert!(!verifier.accepts(&changed, b"", signature), "{name}: {to} for {from} at {at}");
            }
            assert!(!check(&format!("{payload}0"), signature), "{name}");
            assert!(!check(payload, &other_case(signature)), "{name}");
            assert!(!check(payload, &signature.to_lowercase()), "{name}");
            assert!(!check(payload, signature.trim_end_matches('=')), "{name}: base64 without its padding");
            assert!(!check(payload, ""), "{name}");
        }
    }

    #[test]
    fn keys_of_one_kind_refuse_signatures_of_another() {
        let vectors = public_key_vectors();
        for signed in &vectors {
            for other in vectors.iter().filter(|other| other.public_key != signed.public_key) {
                let verifier = Verifier::public_key(&other.public_key).expect("a key");
                assert!(!verifier.accepts(signed.payload.as_bytes(), b"", &signed.signature), "{}", signed.name);
            }
            assert!(!verifier(SECRET).accepts(signed.payload.as_bytes(), b"", &signed.signature), "{}", signed.name);
        }
        // A PEM is no secret: whoever knows it must not be able to sign with HMAC.
        let pem = &vectors[0].public_key;
        let mut mac = Hmac::<Sha256>::new_from_slice(pem.as_bytes()).expect("a key");
        mac.update(b"a=1");
        let signature = hex::encode(mac.finalize().into_bytes());
        assert!(!Verifier::public_key(pem).expect("a key").accepts(b"a=1", b"", &signature));
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        let wrap = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
        };
        let spki = |hexadecimal: &str| wrap("PUBLIC KEY", &hex::decode(hexadecimal).expect("hexadecimal"));
        let short_rsa = spki("3020300d06092a864886f70d0101010500030f00300c020500ffffffff0203010001");
        let ed25519 = &public_key_vectors()[1].public_key;
        for (pem, expected) in [
            (String::new(), NO_PEM),
            ("my-secret".to_owned(), NO_PEM),
            (ed25519.replace("PUBLIC", "PRIVATE"), NO_PEM),
            (ed25519.replace("MCow", "M!ow"), NO_PEM),
            (spki("3000"), NO_KEY),
            (spki("3014300d06092a864886f70d01010105000303003000"), NO_KEY),
            (spki("300b300506032b6570030200aa"), ED25519_SIZE),
            // X25519, which agrees on keys and signs nothing.
            (spki("300b300506032b656e030200aa"), OTHER_ALGORITHM),
            (short_rsa, RSA_SIZE),
        ] {
            assert_eq!(Verifier::public_key(&pem).map(drop), Err(expected), "{pem}");
        }
        assert!(Verifier::public_key(&format!("\n{ed25519}\n\n")).is_ok(), "blank lines round it do no harm");
    }

    proptest::proptest! {
        #[test]
        fn any_payload_verifies_wherever_its_signature_stands(
            pairs in proptest::collection::vec("[a-z]{1,8}=[a-zA-Z0-9%.+-]{0,12}", 1..8),
            cut in 0usize..8,
            place in 0usize..8,
        ) {
            let (cut, place) = (cut.min(pairs.len()), place.min(pairs.len()));
            let (query, body) = (pairs[..cut].join("&"), pairs[cut..].join("&"));
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
            mac.update(query.as_bytes());
            mac.update(body.as_bytes());
            let signature = hex::encode(mac.finalize().into_bytes());
            // The signature goes among the pairs of the part that `place` falls into.
            let mut parts = [pairs[..cut].to_vec(), pairs[cut..].to_vec()];
            let (part, at) = if place < cut { (0, place) } else { (1, place - cut) };
            parts[part].insert(at, format!("signature={signature}"));
            let [query, body] = parts.map(|part| part.join("&"));
            proptest::prop_assert!(verifier(SECRET).accepts(query.as_bytes(), body.as_bytes(), &signature));
            proptest::prop_assert!(!verifier("other").accepts(query.as_bytes(), body.as_bytes(), &signature));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", verifier(SECRET)), "Verifier([redacted])");
    }
}
