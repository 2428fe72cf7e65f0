//! The target of the redirect after a login: always within this service.

use reqwest::Url;

/// The default target.
pub(super) const HOME: &str = "/";
/// A host name that is never used (RFC 6761), to detect whether a text leads to another host.
const US: &str = "http://kimai-sync.invalid";

/// `asked` if it is a path of this service, otherwise the page. It is parsed as a browser does, which treats `\` as `/`
/// and ignores line breaks.
pub(super) fn local(asked: &str) -> String {
    let place = || {
        let us = Url::parse(US).ok()?;
        let place =
            us.join(asked).ok().filter(|place| asked.starts_with('/') && place.origin() == us.origin())?;
        // `//` at the start would name a host.
        let here = !place.path().starts_with("//") && !matches!(place.path(), "/login" | "/logout");
        here.then(|| place.query().map_or(place.path().into(), |query| format!("{}?{query}", place.path())))
    };
    place().unwrap_or_else(|| HOME.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_places_of_ours_are_gone_to() {
        for (asked, wanted) in [
            ("/", "/"),
            ("/runs/1?filter[kind]=orphan", "/runs/1?filter[kind]=orphan"),
            ("/find?q=a%20b&x=//evil.example", "/find?q=a%20b&x=//evil.example"),
            ("/queue/http:%2F%2Fx%2F1", "/queue/http:%2F%2Fx%2F1"),
            ("/work-log?id=http://x/1#part", "/work-log?id=http://x/1"),
            ("", "/"),
            ("queue", "/"),
            ("http://evil.example/", "/"),
            ("https:evil.example", "/"),
            ("//evil.example", "/"),
            ("///evil.example", "/"),
            ("/\\evil.example", "/"),
            ("\\\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/\n/evil.example", "/"),
            (" //evil.example", "/"),
            ("/.//evil.example", "/"),
            ("/x/..//evil.example", "/"),
            ("/%2e%2e//evil.example", "/"),
            ("//kimai-sync.invalid//evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("data:text/html,x", "/"),
            ("/login?next=/login", "/"),
            ("/logout", "/"),
            ("/a\r\nSet-Cookie: x=y", "/aSet-Cookie:%20x=y"),
        ] {
            assert_eq!(local(asked), wanted, "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_away_or_breaks_the_header(asked in "[/\\\\.:a@?#% \t\r\n\u{0}é]{0,16}|.{0,20}") {
            let place = local(&asked);
            prop_assert!(place.starts_with('/') && !place.starts_with("//") && !place.starts_with("/\\"), "{}", place);
            prop_assert!(place.bytes().all(|byte| byte.is_ascii_graphic()), "{}", place);
            let base = Url::parse("https://ops.example").unwrap();
            prop_assert_eq!(base.join(&place).unwrap().origin(), base.origin());
        }
    }
}
