//! Style sheet, script and icon: compiled in, and cached by browsers until they change.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};

use crate::http::endpoint::Endpoint;

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// The style sheet.
pub(super) const STYLE: Asset = Asset {
    path: "/assets/style.css",
    content_type: "text/css; charset=utf-8",
    text: include_str!("assets/style.css"),
};
/// The script for live updates.
pub(super) const SCRIPT: Asset = Asset {
    path: "/assets/live.js",
    content_type: "text/javascript; charset=utf-8",
    text: include_str!("assets/live.js"),
};
/// The icon of the service.
pub(super) const ICON: Asset =
    Asset { path: "/assets/icon.svg", content_type: "image/svg+xml", text: include_str!("assets/icon.svg") };

impl Asset {
    /// A version that changes with the text. It may differ between builds.
    fn version(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The address of this version.
    pub(super) fn address(&self) -> String {
        format!("{}?v={}", self.path, self.version())
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let tag = format!("\"{}\"", self.version());
        let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let same = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
        // An address without a version, or with an old one, may be requested again after the next start.
        let current = request.query_string() == format!("v={}", self.version());
        let keep = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        answer.insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, keep));
        if same { answer.finish() } else { answer.content_type(self.content_type).body(self.text) }
    }
}

/// The files, under `/assets`.
pub(super) fn endpoints() -> Vec<Endpoint> {
    let endpoint = |asset: &'static Asset, what| {
        let answer = move |request: HttpRequest| async move { asset.answer(&request) };
        let media_type = asset.content_type.split(';').next().unwrap_or_default();
        Endpoint::file(asset.path, what, media_type, answer)
    };
    vec![
        endpoint(&STYLE, "The style sheet of the pages"),
        endpoint(&SCRIPT, "The script for live updates"),
        endpoint(&ICON, "The icon of the service"),
    ]
}
