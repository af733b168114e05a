//! The printed card: what a farmer gets in the hand.
//!
//! An A6 page as SVG or PDF: whose farm it is, how long the key is good, the key as a QR code and as fourteen groups of
//! real text, and what to do with it. Both forms draw the same layout, so they cannot differ. The bytes
//! are as secret as the key; writing them to a 0600 file is the caller's.

mod font;
mod layout;
mod pdf;
mod svg;

use jiff::Timestamp;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{Error, ProvisioningKey};
use crate::secret::Secret;

/// A card's bytes, zeroed when dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// What stands on a card.
#[derive(Debug)]
pub struct Card<'c> {
    /// The key.
    pub key: &'c ProvisioningKey,
    /// The farm's name.
    pub farm: &'c str,
    /// The farmer's name.
    pub farmer: &'c str,
    /// When the key stops being good.
    pub expires_at: Timestamp,
    /// Where to use it; without it the code holds the key alone.
    pub hub: Option<Address<'c>>,
}

/// Where a hub is, and how to know it.
#[derive(Debug, Clone, Copy)]
pub struct Address<'c> {
    /// The hub's public address, `https://HOST[:PORT]`.
    pub public_url: &'c str,
    /// Its pin: base32 of SHA-256 over a public key in its chain.
    pub pin: Option<&'c str>,
}

impl Card<'_> {
    /// The card as SVG, sizes in millimetres.
    ///
    /// # Errors
    /// The hub's address does not fit into a code.
    pub fn svg(&self) -> Result<Bytes, Error> {
        Ok(svg::write(&layout::Sheet::of(self)?))
    }

    /// The card as PDF, one page.
    ///
    /// # Errors
    /// The hub's address does not fit into a code.
    pub fn pdf(&self) -> Result<Bytes, Error> {
        pdf::write(&layout::Sheet::of(self)?)
    }
}

/// What a card's QR code says: `OTPK://HOST[:PORT]/KEY[/PIN]` in upper case, or the key alone.
///
/// # Errors
/// The hub's address is none that a card can carry.
pub fn uri(key: &ProvisioningKey, hub: Option<Address<'_>>) -> Result<Secret, Error> {
    let Some(hub) = hub else { return Ok(key.upper()) };
    let place = authority(hub.public_url)?;
    let pin = hub.pin.map(|pin| format!("/{pin}")).unwrap_or_default();
    let key = key.upper();
    let mut text = Zeroizing::new(String::with_capacity(256));
    for part in ["OTPK://", &place, "/", key.expose(), &pin] {
        text.extend(part.chars().map(|c| c.to_ascii_uppercase()));
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}

/// `HOST[:PORT]` of a public address; a path has no place on a card.
fn authority(public_url: &str) -> Result<String, Error> {
    let fail = |reason| Error::Card { reason };
    let url = Url::parse(public_url).map_err(|_| fail("the hub's public address is not a URL"))?;
    let (Some(host), "https" | "http") = (url.host(), url.scheme()) else {
        return Err(fail("the hub's public address is not an `https://` address"));
    };
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(fail("the hub's public address has a path, and a card carries only host and port"));
    }
    let host = match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    Ok(match (url.port(), url.scheme()) {
        (Some(port), _) => format!("{host}:{port}"),
        (None, "http") => format!("{host}:80"),
        (None, _) => host,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
