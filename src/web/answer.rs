//! Responses, and the headers that every one of them carries.

use axum::body::Body;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

/// Nothing but our own looks and the pictures that editors chose, no script, no frame round us.
const POLICY: &str = "default-src 'none'; img-src 'self' https:; media-src 'self'; style-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// On pages that a token leads to, not even pictures from elsewhere.
const PRIVATE_POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// The same where our own small script may fill in a field.
const SCRIPTED_POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The outbox frames the mail that it shows.
pub(super) const OUTBOX_POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; frame-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A mail in its frame: a page of its own origin that can do nothing but follow a link that was clicked.
pub(super) const FRAME_POLICY: &str = "sandbox allow-top-navigation-by-user-activation allow-popups \
    allow-popups-to-escape-sandbox; default-src 'none'; img-src 'self' http: https: data:; style-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Changes to a response that read well in a chain.
pub(super) trait Secured {
    /// Kept by nobody, indexed by nobody, and its address is told to nobody.
    fn private(self) -> Self;
    /// With our own small script.
    fn scripted(self) -> Self;
    /// Instead of the usual Content-Security-Policy.
    fn with_policy(self, policy: &'static str) -> Self;
    /// With another status.
    fn with_status(self, status: StatusCode) -> Self;
    /// One more header, in place of one of the same name.
    fn with(self, name: HeaderName, value: &str) -> Self;
    /// One more cookie.
    fn with_cookie(self, set_cookie: &str) -> Self;
}

impl Secured for Response<Body> {
    fn private(self) -> Self {
        self.with_policy(PRIVATE_POLICY)
            .with(CACHE_CONTROL, "no-store")
            .with(REFERRER_POLICY, "no-referrer")
            .with(HeaderName::from_static("x-robots-tag"), "noindex")
    }

    fn scripted(self) -> Self {
        self.with_policy(SCRIPTED_POLICY)
    }

    fn with_policy(self, policy: &'static str) -> Self {
        self.with(CONTENT_SECURITY_POLICY, policy)
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        *self.status_mut() = status;
        self
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers_mut().insert(name, value);
        }
        self
    }

    fn with_cookie(mut self, set_cookie: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(set_cookie) {
            self.headers_mut().append(SET_COOKIE, value);
        }
        self
    }
}

pub(super) fn html(status: StatusCode, html: String) -> Response<Body> {
    answer(status, "text/html; charset=utf-8", Body::from(html))
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", Body::from(text)).with(CACHE_CONTROL, "no-store")
}

pub(super) fn answer(status: StatusCode, content_type: &str, body: Body) -> Response<Body> {
    Response::new(body).with_status(status).with(CONTENT_TYPE, content_type)
}

/// Elsewhere on this site; `place` begins with one slash and is encoded.
pub(super) fn redirect(status: StatusCode, place: &str) -> Response<Body> {
    Response::new(Body::empty()).with_status(status).with(LOCATION, place)
}

/// After a form: to the page that says what it did (RFC 9110, 15.4.4).
pub(super) fn see_other(place: &str) -> Response<Body> {
    redirect(StatusCode::SEE_OTHER, place).private()
}

/// Adds what every response carries, and keeps what it says by itself.
pub(super) fn secure(mut response: Response<Body>, is_https: bool) -> Response<Body> {
    let headers = response.headers_mut();
    let is_page = headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/html"));
    let may_be_framed = headers.get(CONTENT_SECURITY_POLICY).is_some_and(|policy| policy == FRAME_POLICY);
    // Mail programs and feed readers show our pictures on pages of their own.
    let resource_policy = if is_page { "same-origin" } else { "cross-origin" };
    let usual = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // For browsers that do not know frame-ancestors.
        (X_FRAME_OPTIONS, if may_be_framed { "SAMEORIGIN" } else { "DENY" }),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), resource_policy),
    ];
    for (name, value) in usual {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
