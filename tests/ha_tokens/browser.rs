//! A person at a browser, as far as Keycloak's pages need one.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

pub(crate) const USER: &str = "ada";
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    agrees: bool,
}

/// What somebody sees.
struct Page {
    url: Url,
    text: String,
}

impl Browser {
    /// Of somebody who agrees to what is asked, or does not.
    pub(crate) fn new(agrees: bool) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: BTreeMap::new(), agrees }
    }

    /// Opens an address, signs in, answers what is asked, and gives the text of the page on which it ended.
    pub(crate) async fn sign_in(mut self, url: &str) -> String {
        let mut page = self.open(self.http.get(url)).await;
        for _ in 0..4 {
            let Some(action) = action(&page) else { break };
            let form: &[(&str, &str)] = if page.text.contains("name=\"password\"") {
                &[("username", USER), ("password", PASSWORD)]
            } else if self.agrees {
                &[("accept", "Yes")]
            } else {
                &[("cancel", "No")]
            };
            page = self.open(self.http.post(action).form(form)).await;
        }
        page.text
    }

    /// Sends a request, and what redirects ask for.
    async fn open(&mut self, request: reqwest::RequestBuilder) -> Page {
        let mut request = request;
        loop {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = cookie.split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let url = response.url().clone();
            let Some(location) = response.headers().get(LOCATION) else {
                return Page { url, text: response.text().await.unwrap() };
            };
            request = self.http.get(url.join(location.to_str().unwrap()).unwrap());
        }
    }
}

/// Where the page's form is sent.
fn action(page: &Page) -> Option<Url> {
    let (_, form) = page.text.split_once("<form")?;
    let (_, action) = form.split_once("action=\"")?;
    Some(page.url.join(&action.split('"').next()?.replace("&amp;", "&")).unwrap())
}
