//! Which fields of an entry's data are secret.

/// Names of secrets whatever the integration.
const CREDENTIALS: [&str; 16] = [
    "password", "passwd", "passphrase", "pin", "code", "secret", "client_secret", "api_key", "apikey", "api_token",
    "token", "access_token", "refresh_token", "id_token", "private_key", "user_data",
];

/// Whether a stored field of an integration, by path, holds a secret; in doubt it does.
pub fn is_credential(_domain: &str, path: &str) -> bool {
    path.split('.').any(|step| {
        let step = step.to_lowercase();
        CREDENTIALS.contains(&step.as_str()) || ["password", "token", "secret", "_key"].iter().any(|end| step.ends_with(end))
    })
}
