//! Secrets: read from a variable or a file, and never shown in a message.

use std::fs::File;
use std::io::{self, Read as _};

use secrecy::{ExposeSecret, SecretString};

use super::check::Check;
use super::{GuardSettings, Raw};

/// No token is longer than this.
const MOST_BYTES: u64 = 4096;
/// The minimum length: shorter tokens could be guessed by trying all of them.
const LEAST_OPS_TOKEN: usize = 16;

impl Check {
    /// The secret `name`, or the content of the file `{name}_FILE`; none if neither is set.
    pub(super) fn secret(
        &mut self,
        name: &str,
        given: Option<&SecretString>,
        file: Option<&String>,
    ) -> Option<SecretString> {
        let (origin, secret) = match (given, file) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.faults.push(format!("{name} and {name}_FILE are both set; unset one of them"));
                return None;
            }
            (Some(secret), None) => (name.to_owned(), secret.expose_secret().trim().to_owned()),
            (None, Some(path)) => {
                let path = path.trim();
                match read(path) {
                    Ok(text) if text.is_empty() => {
                        self.faults
                            .push(format!("{name}_FILE is '{path}', which is empty; write the secret to it"));
                        return None;
                    }
                    Ok(text) => (format!("The file '{path}' of {name}_FILE"), text),
                    Err(fault) => {
                        self.faults.push(format!("{name}_FILE is '{path}', which cannot be read: {fault}"));
                        return None;
                    }
                }
            }
        };
        if secret.len() > 1
            && ["\"", "'"].iter().any(|mark| secret.starts_with(mark) && secret.ends_with(mark))
        {
            self.faults.push(format!("{origin} is in quotes, which would be part of the value; remove them"));
            return None;
        }
        // Characters that are invalid in a header, or were added by a terminal.
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.faults.push(format!(
                "{origin} contains spaces or other characters that are not valid in a \
                token; copy it again"
            ));
            return None;
        }
        Some(secret.into())
    }

    pub(super) fn ops_token(
        &mut self,
        given: Option<&SecretString>,
        file: Option<&String>,
    ) -> Option<SecretString> {
        let token = self.secret("OPS_TOKEN", given, file)?;
        if token.expose_secret().len() < LEAST_OPS_TOKEN {
            self.faults.push(format!(
                "OPS_TOKEN is shorter than {LEAST_OPS_TOKEN} characters, so it could be guessed; create one \
                 with: openssl rand -hex 32"
            ));
            return None;
        }
        Some(token)
    }

    pub(super) fn guard(&mut self, raw: &Raw) -> GuardSettings {
        let token = self.ops_token(raw.ops_token.as_ref(), raw.ops_token_file.as_ref());
        let metrics = self.truth("METRICS_PROTECTED", raw.metrics_protected.as_ref(), false);
        if metrics && raw.ops_token.is_none() && raw.ops_token_file.is_none() {
            self.faults.push(
                "METRICS_PROTECTED is true, but there is no OPS_TOKEN to protect /metrics with; set OPS_TOKEN too"
                    .into(),
            );
        }
        GuardSettings { token, metrics }
    }
}

/// The text of a file, without a trailing line break.
fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    // The message of a conversion error would contain the secret.
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const SECRET: &str = "s3cret-0123456789-token";

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        let vars = [("KIMAI_ENDPOINT", "https://kimai.example.com/api")].iter().chain(vars);
        let vars = vars.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_vars(vars).map_err(|fault| {
            let words = fault.to_string();
            assert!(!words.contains("s3cret") && !format!("{fault:?}").contains("s3cret"), "{words}");
            words
        })
    }

    /// A file with this content, and its path.
    fn file(content: &[u8]) -> (tempfile::NamedTempFile, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        (file, path)
    }

    #[test]
    fn a_file_holds_the_secret_with_or_without_a_line_break() {
        for end in ["", "\n", "\r\n"] {
            let (_kept, path) = file(format!("{SECRET}{end}").as_bytes());
            let settings = read(&[
                ("API_TOKEN_FILE", &path),
                ("OPS_TOKEN_FILE", &format!(" {path}\n")),
                ("API_TOKEN", ""),
            ])
            .unwrap();
            assert_eq!(settings.kimai.token.expose_secret(), SECRET);
            assert_eq!(settings.guard.token.as_ref().unwrap().expose_secret(), SECRET);
            assert!(!format!("{settings:?}").contains("s3cret"));
        }
        let settings = read(&[
            ("API_TOKEN", "x"),
            ("OPS_TOKEN", &format!(" {SECRET}\n")),
            ("METRICS_PROTECTED", "true"),
        ]);
        let guard = settings.unwrap().guard;
        assert_eq!((guard.token.unwrap().expose_secret(), guard.metrics), (SECRET, true));
        let guard = read(&[("API_TOKEN", "x"), ("OPS_TOKEN", "")]).unwrap().guard;
        assert!(guard.token.is_none() && !guard.metrics);
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_named_and_never_shown() {
        let (_kept_empty, empty) = file(b"\n");
        let (_kept_binary, binary) = file(b"s3cret\xff\xfe");
        let (_kept_lines, lines) = file(b"s3cret-0123456789\ns3cret-0123456789\n");
        let (_kept_large, large) = file(&b"s3cret".repeat(1000));
        let (_kept_short, short) = file(b"s3cret-short");
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let (_kept_whole, whole) = file(SECRET.as_bytes());
        for name in ["API_TOKEN", "OPS_TOKEN"] {
            let other = if name == "API_TOKEN" { ("OPS_TOKEN", "") } else { ("API_TOKEN", "x") };
            let setting = format!("{name}_FILE");
            for (path, wanted) in [
                ("/nonexistent/token", "which cannot be read: No such file"),
                (folder, "which cannot be read: Is a directory"),
                (&empty, "which is empty"),
                (&binary, "it is not UTF-8 text"),
                (&lines, "contains spaces or other characters"),
                (&large, "it is larger than 4096 bytes"),
            ] {
                let words = read(&[other, (&setting, path)]).unwrap_err();
                assert!(
                    words.contains(wanted) && words.contains(&setting) && words.contains(path),
                    "{words}"
                );
                assert!(!words.contains("is missing"), "{words}");
            }
            let both = read(&[other, (name, SECRET), (&setting, &whole)]).unwrap_err();
            assert!(both.contains(&format!("{name} and {name}_FILE are both set")), "{both}");
            let odd = read(&[other, (name, "s3cret 0123456789")]).unwrap_err();
            assert!(odd.contains(&format!("{name} contains spaces")), "{odd}");
        }
        for vars in [("OPS_TOKEN", "s3cret-short"), ("OPS_TOKEN_FILE", &short)] {
            let words = read(&[("API_TOKEN", "x"), vars]).unwrap_err();
            assert!(words.contains("OPS_TOKEN is shorter than 16") && words.contains("openssl"), "{words}");
        }
        let words = read(&[("API_TOKEN", "x"), ("METRICS_PROTECTED", "true")]).unwrap_err();
        assert!(words.contains("METRICS_PROTECTED is true, but there is no OPS_TOKEN"), "{words}");
    }

    #[test]
    fn https_can_be_demanded_of_kimai() {
        let with = |endpoint: &str, demanded: &str| {
            read(&[("API_TOKEN", "x"), ("KIMAI_ENDPOINT", endpoint), ("KIMAI_REQUIRE_HTTPS", demanded)])
        };
        let warned = with("http://kimai.example.com/api", "false").unwrap().warnings;
        assert!(warned.concat().contains("is sent unencrypted"), "{warned:?}");
        for endpoint in
            ["http://kimai.example.com/api", "http://localhost.example/api", "http://10.0.0.1/api"]
        {
            let refused = with(endpoint, "true").unwrap_err();
            assert!(
                refused.contains("KIMAI_ENDPOINT") && refused.contains("KIMAI_REQUIRE_HTTPS"),
                "{refused}"
            );
        }
        for endpoint in [
            "https://kimai.example.com/api",
            "http://127.0.0.1:8001/api",
            "http://127.1.2.3/api",
            "http://[::1]:1/api",
            "http://localhost/api",
        ] {
            assert!(with(endpoint, "true").unwrap().warnings.is_empty(), "{endpoint}");
        }
    }

    #[test]
    fn quotes_around_a_secret_are_no_part_of_it() {
        for quoted in [format!("\"{SECRET}\""), format!("'{SECRET}'")] {
            let fault = read(&[("API_TOKEN", &quoted)]).unwrap_err();
            assert!(fault.contains("API_TOKEN is in quotes"), "{fault}");
        }
    }
}
