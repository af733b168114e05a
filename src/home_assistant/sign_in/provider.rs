//! Services whose addresses are public and which let a program on one's own machine sign in. For all others there are
//! options: most want an application registered with an address of one's own.

use super::Flow;

/// A service behind an integration.
#[derive(Debug)]
pub struct Provider {
    /// The integration.
    pub domain: &'static str,
    /// The flow that it is used with.
    pub flow: Flow,
    /// Where a browser is sent.
    pub authorize_url: Option<&'static str>,
    /// Where a device asks for its code.
    pub device_url: Option<&'static str>,
    /// Where a token is given.
    pub token_url: &'static str,
    /// The client that the service publishes for everybody, if it does.
    pub client_id: Option<&'static str>,
    /// What the integration needs.
    pub scopes: &'static [&'static str],
    /// What the service wants to hear before it gives a refresh token.
    pub parameters: &'static [(&'static str, &'static str)],
}

const GOOGLE_AUTHORIZE: &str = "https://accounts.google.com/o/oauth2/v2/auth";
const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";
const GOOGLE_PARAMETERS: &[(&str, &str)] = &[("access_type", "offline"), ("prompt", "consent")];

/// Addresses and scopes are those that Home Assistant 2026.11 uses; tado's client is the one that its support names for
/// everybody's programs.
const PROVIDERS: &[Provider] = &[
    Provider {
        domain: "tado",
        flow: Flow::Device,
        authorize_url: None,
        device_url: Some("https://login.tado.com/oauth2/device_authorize"),
        token_url: "https://login.tado.com/oauth2/token",
        client_id: Some("1bb50063-6b0c-4d11-bd99-387f4a91cc46"),
        scopes: &["offline_access"],
        parameters: &[],
    },
    Provider {
        domain: "google",
        flow: Flow::Code,
        authorize_url: Some(GOOGLE_AUTHORIZE),
        device_url: None,
        token_url: GOOGLE_TOKEN,
        client_id: None,
        scopes: &["https://www.googleapis.com/auth/calendar"],
        parameters: GOOGLE_PARAMETERS,
    },
    Provider {
        domain: "google_tasks",
        flow: Flow::Code,
        authorize_url: Some(GOOGLE_AUTHORIZE),
        device_url: None,
        token_url: GOOGLE_TOKEN,
        client_id: None,
        scopes: &["https://www.googleapis.com/auth/tasks", "https://www.googleapis.com/auth/userinfo.profile"],
        parameters: GOOGLE_PARAMETERS,
    },
    Provider {
        domain: "spotify",
        flow: Flow::Code,
        authorize_url: Some("https://accounts.spotify.com/authorize"),
        device_url: None,
        token_url: "https://accounts.spotify.com/api/token",
        client_id: None,
        scopes: &[
            "user-modify-playback-state",
            "user-read-playback-state",
            "user-read-private",
            "playlist-read-private",
            "playlist-read-collaborative",
            "user-library-read",
            "user-top-read",
            "user-read-playback-position",
            "user-read-recently-played",
            "user-follow-read",
        ],
        parameters: &[],
    },
    Provider {
        domain: "xbox",
        flow: Flow::Code,
        authorize_url: Some("https://login.live.com/oauth20_authorize.srf"),
        device_url: None,
        token_url: "https://login.live.com/oauth20_token.srf",
        client_id: None,
        scopes: &["Xboxlive.signin", "Xboxlive.offline_access"],
        parameters: &[],
    },
];

/// What is known of the service behind an integration.
pub fn known(domain: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.domain == domain)
}

/// The integrations whose service is known.
pub fn domains() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|provider| provider.domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_encrypted_and_fits_its_flow() {
        for provider in PROVIDERS {
            let flow = match provider.flow {
                Flow::Code => provider.authorize_url,
                Flow::Device => provider.device_url,
            };
            for url in [Some(provider.token_url), flow] {
                let url: url::Url = url.unwrap().parse().unwrap();
                assert!(url.scheme() == "https" && url.query().is_none(), "{url}");
            }
        }
    }
}
