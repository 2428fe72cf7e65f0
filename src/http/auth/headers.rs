//! Security headers, set on every response with a body.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_OPENER_POLICY, CROSS_ORIGIN_RESOURCE_POLICY,
    HeaderMap, HeaderName, HeaderValue, PERMISSIONS_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

/// Only resources of this service, no inline scripts or styles, no framing.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static ALWAYS: [(HeaderName, HeaderValue); 7] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Sends other sites as little as `no-referrer`, but with that a browser would send our own forms with `Origin:
    // null`, which the guard must refuse.
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (
        PERMISSIONS_POLICY,
        HeaderValue::from_static(
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ),
];

/// Adds the headers. A response that must not be cached gets `no-store`, unless its handler sets `Cache-Control`
/// itself. A response without a body gets no other headers: they would have no effect there, and deltas arrive by the
/// thousand.
pub(super) fn add(headers: &mut HeaderMap, has_body: bool, may_be_kept: bool) {
    if has_body {
        headers.reserve(ALWAYS.len() + 1);
        for (name, value) in &ALWAYS {
            headers.insert(name.clone(), value.clone());
        }
    }
    if !may_be_kept && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
