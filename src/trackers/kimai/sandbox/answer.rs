//! What Kimai answers: status, headers and body, error bodies included.

use std::fmt::Display;

use serde_json::{Map, Value, json};

/// After the token was checked / before it was.
const SIGNED_IN: &str = "max-age=0, must-revalidate, private";
const SIGNED_OUT: &str = "no-cache, private";

/// The body of an [`Answer`].
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Nothing, not even a content type.
    None,
    /// No body under the content type of JSON, as Kimai answers a wrong token.
    EmptyJson,
    /// JSON.
    Json(Value),
    /// A page.
    Html(String),
}

/// One answer of the sandbox.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

impl Answer {
    fn new(status: u16, cache: &str, body: Body) -> Self {
        Self { status, headers: vec![("Cache-Control", cache.to_owned())], body }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// 200, also for what was created.
    pub(super) fn ok(body: impl Into<Value>) -> Self {
        Self::new(200, SIGNED_IN, Body::Json(body.into()))
    }

    /// 204, for what was deleted.
    pub(super) fn deleted() -> Self {
        Self::new(204, SIGNED_IN, Body::None)
    }

    /// The answer to a CORS preflight.
    pub(super) fn preflight(origin: &str) -> Self {
        Self::new(200, SIGNED_OUT, Body::Html(String::new()))
            .with("Access-Control-Allow-Origin", origin)
            .with("Vary", "Origin")
    }

    /// `{"code":404,"message":"Not Found"}` and the like.
    pub(super) fn refused(status: u16) -> Self {
        Self::plain(status, SIGNED_IN)
    }

    /// A refusal from before anyone looked at the token.
    pub(super) fn refused_early(status: u16) -> Self {
        Self::plain(status, SIGNED_OUT)
    }

    fn plain(status: u16, cache: &str) -> Self {
        let message = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Internal Server Error",
        };
        Self::new(status, cache, Body::Json(json!({"code": status, "message": message})))
            .with("Vary", "Accept")
    }

    /// A token that is wrong, expired, or of a disabled user.
    pub(super) fn wrong_token() -> Self {
        Self::new(401, SIGNED_OUT, Body::EmptyJson).with(
            "WWW-Authenticate",
            r#"Bearer error="invalid_token",error_description="Invalid credentials.""#,
        )
    }

    /// The deprecated `X-AUTH-USER` headers; the sandbox knows no API passwords.
    pub(super) fn wrong_password() -> Self {
        Self::new(403, SIGNED_OUT, Body::Json(json!({"message": "Invalid credentials"})))
    }

    /// A path with a slash too many.
    pub(super) fn moved(url: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n    <head>\n        <meta charset=\"UTF-8\" />\n        \
             <meta http-equiv=\"refresh\" content=\"0;url='{url}'\" />\n\n        \
             <title>Redirecting to {url}</title>\n    </head>\n    <body>\n        \
             Redirecting to <a href=\"{url}\">{url}</a>.\n    </body>\n</html>"
        );
        Self::new(301, SIGNED_IN, Body::Html(page)).with("Location", url)
    }
}

/// What is wrong with a form.
#[derive(Debug, Default)]
pub(super) struct FormErrors {
    form: Vec<String>,
    fields: Map<String, Value>,
}

/// What a choice that is not offered is answered with.
pub(super) const NO_CHOICE: &str = "The selected choice is invalid.";
/// What a field that must be there is answered with.
pub(super) const NOT_NULL: &str = "This value should not be null.";
/// What fields that the form does not have are answered with.
pub(super) const EXTRA_FIELDS: &str = "This form should not contain extra fields.";

impl FormErrors {
    /// Something wrong with the form as a whole.
    pub(super) fn form(&mut self, message: impl Into<String>) {
        self.form.push(message.into());
    }

    /// Something wrong with one field.
    pub(super) fn field(&mut self, name: &str, message: impl Into<String>) {
        let errors = self.fields.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(messages) = errors {
            messages.push(Value::String(message.into()));
        }
    }

    /// Whether that field was found wrong.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Nothing if all is well, else the 400 that lists every field of the form.
    pub(super) fn verdict(self, form_fields: &[&str]) -> Result<(), Answer> {
        if self.form.is_empty() && self.fields.is_empty() {
            return Ok(());
        }
        let children: Map<String, Value> = form_fields
            .iter()
            .map(|name| {
                let errors = self.fields.get(*name).map_or(json!({}), |errors| json!({"errors": errors}));
                ((*name).to_owned(), errors)
            })
            .collect();
        let mut errors = json!({"children": children});
        if !self.form.is_empty()
            && let Some(errors) = errors.as_object_mut()
        {
            errors.insert("errors".to_owned(), json!(self.form));
        }
        let body = json!({"code": 400, "message": "Validation Failed", "errors": errors});
        Err(Answer::new(400, SIGNED_IN, Body::Json(body)))
    }
}
