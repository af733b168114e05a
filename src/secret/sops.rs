//! A document that `sops` decrypts: one text, encrypted to age recipients.
//!
//! The form is that of sops' "binary" files, in JSON: `data` holds the text, encrypted with AES-256-GCM under a fresh data
//! key; `sops` holds that key, encrypted with age for each recipient, and an encrypted SHA-512 over the text, which sops
//! checks. The authenticated data are the path of the value and the time of the change, as sops has them. What sops decrypts
//! is exactly the text, without a line end.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Key, Nonce};
use data_encoding::{BASE64, HEXUPPER};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::error::Error;
use super::reference::AgeSink;
use super::sink;

/// sops takes 256 bits for the initialisation vector, where 96 are usual.
type Cipher = AesGcm<Aes256, U32>;

const KEY_LENGTH: usize = 32;
/// The version of sops whose form this is; sops compares nothing with it but shows it.
const VERSION: &str = "3.9.0";

/// Writes `value` to the file of `sink`, durably, as a document that sops decrypts; `now` is said to be when.
///
/// # Errors
/// As [`encrypt`], or the file could not be written.
pub fn write(sink: &AgeSink, value: &[u8], now: Timestamp) -> Result<(), Error> {
    sink::write_private(&sink.file, &encrypt(sink, value, now)?)
}

/// `value` as a document for the recipients of `sink`.
///
/// # Errors
/// A recipient is no key, or there is no randomness.
pub fn encrypt(sink: &AgeSink, value: &[u8], now: Timestamp) -> Result<Vec<u8>, Error> {
    let failed = || Error::Encrypt { path: sink.file.clone() };
    let mut key = Zeroizing::new([0_u8; KEY_LENGTH]);
    getrandom::fill(&mut *key).map_err(|_| failed())?;
    let mut recipients = Vec::new();
    for recipient in &sink.recipients {
        // One by one, so that sops can take a recipient away without knowing the others' identities.
        let only = AgeSink { file: sink.file.clone(), recipients: vec![recipient.clone()] };
        let armored = String::from_utf8(sink::encrypt(&only, &*key)?).map_err(|_| failed())?;
        recipients.push(json!({"recipient": recipient.trim(), "enc": armored}));
    }
    let modified = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let digest = Zeroizing::new(HEXUPPER.encode(&Sha512::digest(value)));
    let document = json!({
        "data": seal(&key, value, "data:").ok_or_else(failed)?,
        "sops": {
            "age": recipients,
            "lastmodified": modified,
            "mac": seal(&key, digest.as_bytes(), &modified).ok_or_else(failed)?,
            "version": VERSION,
        },
    });
    let mut text = serde_json::to_vec_pretty(&document).map_err(|_| failed())?;
    text.push(b'\n');
    Ok(text)
}

/// A value as sops writes it, bound to `associated`.
fn seal(key: &[u8; KEY_LENGTH], value: &[u8], associated: &str) -> Option<String> {
    let mut nonce = [0_u8; 32];
    getrandom::fill(&mut nonce).ok()?;
    let mut data = Zeroizing::new(value.to_vec());
    let cipher = Cipher::new(Key::<Cipher>::from_slice(key));
    let tag = cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), associated.as_bytes(), &mut data).ok()?;
    let (data, iv, tag) = (BASE64.encode(&data), BASE64.encode(&nonce), BASE64.encode(&tag));
    Some(format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is between `name:` and the next comma.
    fn part(sealed: &str, name: &str) -> Vec<u8> {
        let (_, rest) = sealed.split_once(&format!("{name}:")).unwrap();
        BASE64.decode(rest.split(',').next().unwrap().as_bytes()).unwrap()
    }

    fn open(key: &[u8], sealed: &str, associated: &str) -> Vec<u8> {
        assert!(sealed.starts_with("ENC[AES256_GCM,data:") && sealed.ends_with(",type:str]"), "{sealed}");
        let mut data = part(sealed, "data");
        let (iv, tag) = (part(sealed, "iv"), part(sealed, "tag"));
        let cipher = Cipher::new(Key::<Cipher>::from_slice(key));
        let tag = aes_gcm::Tag::from_slice(&tag);
        cipher
            .decrypt_in_place_detached(Nonce::from_slice(&iv), associated.as_bytes(), &mut data, tag)
            .expect("sealed with this key");
        data
    }

    #[test]
    fn ha_10_a_document_opens_for_each_recipient_and_holds_exactly_the_text() {
        let identities = [age::x25519::Identity::generate(), age::x25519::Identity::generate()];
        let recipients = identities.iter().map(|identity| identity.to_public().to_string()).collect();
        let sink = AgeSink { file: "token.json".into(), recipients };
        let now = "2026-11-25T09:00:00.5Z".parse().unwrap();
        let document = encrypt(&sink, b"canary", now).unwrap();
        assert!(!String::from_utf8_lossy(&document).contains("canary"));
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let sops = &document["sops"];
        assert_eq!(sops["lastmodified"], "2026-11-25T09:00:00Z");
        for (identity, at) in identities.iter().zip(0..) {
            let key = age::decrypt(identity, sops["age"][at]["enc"].as_str().unwrap().as_bytes()).unwrap();
            assert_eq!(open(&key, document["data"].as_str().unwrap(), "data:"), b"canary");
            let digest = open(&key, sops["mac"].as_str().unwrap(), "2026-11-25T09:00:00Z");
            assert_eq!(digest, HEXUPPER.encode(&Sha512::digest(b"canary")).into_bytes());
        }
    }

    #[test]
    fn two_documents_of_one_text_have_nothing_in_common() {
        let recipient = age::x25519::Identity::generate().to_public().to_string();
        let sink = AgeSink { file: "token.json".into(), recipients: vec![recipient] };
        let sealed = || {
            let document = encrypt(&sink, b"canary", Timestamp::UNIX_EPOCH).unwrap();
            let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
            document["data"].as_str().unwrap().to_owned()
        };
        let (one, other) = (sealed(), sealed());
        assert!(part(&one, "data") != part(&other, "data") && part(&one, "iv") != part(&other, "iv"));
    }
}
