//! Names of fields: how manifests may write them, and which of them speak of a secret.

use std::borrow::Cow;

/// Words that name a secret when a field's name ends with them.
const SECRETS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "tokens",
    "apikey",
    "psk",
    "credential",
    "credentials",
    "cookie",
    "cookies",
];

/// What stands before `key` where the key opens something; a `storage_key` or a `public_key` does not.
const KEYS: [&str; 19] = [
    "api",
    "app",
    "access",
    "private",
    "secret",
    "auth",
    "encryption",
    "shared",
    "license",
    "master",
    "network",
    "application",
    "client",
    "device",
    "local",
    "security",
    "signing",
    "service",
    "consumer",
];

/// What integrations call a bundle that has a token in it, or an address that lets in whoever knows it. No form asks for
/// these, so that no form marks them.
const HOLDERS: [&str; 21] = [
    "aes_keys",
    "auth",
    "auth_data",
    "auth_header",
    "authorize_string",
    "authtoken",
    "bridge_key",
    "cloudhook_url",
    "credentials_hash",
    "installation_key",
    "login_data",
    "login_response",
    "pairing_key",
    "priv_scalar",
    "service_account_info",
    "session",
    "session_id",
    "ssl_key",
    "token_info",
    "user_data",
    "webhook_id",
];

/// Beginnings of names that ask whether there is a secret.
const QUESTIONS: [&str; 9] = ["use", "has", "is", "no", "require", "requires", "enable", "show", "with"];

/// `refreshToken` as `refresh_token`, each part of a dotted name by itself; a name that is so already is left alone.
pub fn snake_case(name: &str) -> Cow<'_, str> {
    if !name.contains(|letter: char| letter.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_ascii_uppercase() {
            let before = at.checked_sub(1).map(|at| letters[at]);
            let after = letters.get(at + 1);
            let begins = match before {
                None | Some('.' | '_') => false,
                // `userID`, and `IDToken`
                Some(before) if before.is_ascii_uppercase() => after.is_some_and(char::is_ascii_lowercase),
                Some(_) => true,
            };
            if begins {
                snake.push('_');
            }
        }
        snake.push(letter.to_ascii_lowercase());
    }
    Cow::Owned(snake)
}

/// Whether the name alone says that the field is a secret.
///
/// It must be certain enough for an error, as such a field may not stand in clear: the name ends with a word for a
/// secret (`wifi_password`, `access_token`), and does not ask whether there is one (`use_password`). `pin`, `code`,
/// `key` and `username` are secrets in one integration and none in another; there only the integration's mark counts.
pub fn is_credential_like(name: &str) -> bool {
    let name = snake_case(name);
    let name = name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '_');
    let words: Vec<&str> = name.split(['_', '-']).collect();
    if HOLDERS.contains(&name) {
        return true;
    }
    let (Some(last), Some(first)) = (words.last(), words.first()) else { return false };
    if words.len() > 1 && QUESTIONS.contains(first) {
        return false;
    }
    let before = words.len().checked_sub(2).map(|at| words[at]);
    SECRETS.contains(last) || (matches!(*last, "key" | "keys") && before.is_some_and(|word| KEYS.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::{is_credential_like, snake_case};

    #[test]
    fn camel_case_becomes_snake_case_in_each_part() {
        for (written, stored) in [
            ("refreshToken", "refresh_token"),
            ("token.refreshToken", "token.refresh_token"),
            ("refresh_token", "refresh_token"),
            ("userID", "user_id"),
            ("IDToken", "id_token"),
            ("Host", "host"),
            ("oauth2Token", "oauth2_token"),
            ("already_Mixed", "already_mixed"),
        ] {
            assert_eq!(snake_case(written), stored, "HA-6: {written}");
        }
    }

    #[test]
    fn names_of_secrets_are_told_from_names_about_secrets() {
        for name in [
            "password",
            "wifi_password",
            "api_key",
            "apikey",
            "refresh_token",
            "token",
            "client_secret",
            "apiKey",
            "password2",
        ] {
            assert!(is_credential_like(name), "{name}");
        }
        for name in
            ["host", "use_password", "storage_key", "public_key", "key", "pin", "token_type", "username", "secretary"]
        {
            assert!(!is_credential_like(name), "{name}");
        }
    }
}
