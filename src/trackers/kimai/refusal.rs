//! Translates Kimai's error messages to codes. Its API has no error codes, so its sentences are parsed here, and
//! nowhere else.

use serde_json::Value;

use crate::domain::Code;

/// Kimai's sentences, by how they begin, and their code. The first row counts of which one was said.
const SENTENCES: &[(&str, Code)] = &[
    ("This timesheet is already exported.", Code::TimesheetExported),
    ("This period is locked", Code::PeriodLocked),
    (EXTRA_FIELDS, Code::FieldsRefused),
    ("The project is finished at that time.", Code::ProjectEnded),
    ("The project has not started at that time.", Code::ProjectNotStarted),
    ("You already have an entry for this time.", Code::OverlapRefused),
    ("An empty duration is not allowed.", Code::EmptyDurationRefused),
    ("The begin date cannot be in the future.", Code::FutureRefused),
    ("The end date cannot be in the future.", Code::FutureRefused),
    ("Maximum duration exceeded.", Code::DurationTooLong),
    ("Maximum ", Code::DurationTooLong),
    ("The budget is ", Code::BudgetUsedUp),
    ("Cannot start a disabled activity.", Code::ActivityHidden),
    ("Cannot start a disabled project.", Code::ProjectHidden),
    ("Cannot start a disabled customer.", Code::CustomerHidden),
    ("You are not allowed to use this ", Code::TeamForbids),
    ("The selected choice is invalid.", Code::ChoiceInvalid),
];
const EXTRA_FIELDS: &str = "This form should not contain extra fields.";

/// The fields of a timesheet that we send.
const SENT: [&str; 5] = ["begin", "end", "project", "activity", "user"];

/// A refusal in a validation body, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// What it means, where Kimai's own words do not say.
    pub(super) means: Option<String>,
}

/// What the messages of a validation `body`, with the field of each, mean; nothing where none of them is known.
pub(super) fn read(messages: &[(String, String)], body: &Value) -> Option<Refusal> {
    let said = |row: &&(&str, Code)| messages.iter().any(|(_, words)| words.starts_with(row.0));
    let (_, code) = SENTENCES.iter().find(said)?;
    if *code == Code::FieldsRefused {
        return Some(of_fields(&refused_fields(body)));
    }
    Some(Refusal { code: *code, means: None })
}

/// The fields that we sent and the form does not have. Kimai lists the fields it does have, without saying which
/// are too many.
fn refused_fields(body: &Value) -> Vec<&'static str> {
    let Some(form) = body.pointer("/errors/children").and_then(Value::as_object) else { return Vec::new() };
    let has = |name: &&&str| form.contains_key(**name);
    // Without the fields that every form has it is not the form: then those are listed that are too many.
    if !form.contains_key("project") && !form.contains_key("activity") {
        return SENT.iter().filter(has).copied().collect();
    }
    SENT.iter().filter(|name| !has(name)).copied().collect()
}

fn of_fields(refused: &[&str]) -> Refusal {
    let named = refused.join(" and ");
    let (code, why) = match refused {
        [] => (Code::FieldsRefused, "it does not say which"),
        fields if fields.contains(&"begin") || fields.contains(&"end") => {
            (Code::TrackingMode, "its tracking mode (punch) sets the times itself")
        }
        ["user"] => {
            (Code::RightMissing, "the role of the API token's user lacks the right create_other_timesheet")
        }
        _ => (Code::FieldsRefused, "its form has no such field"),
    };
    let named = if named.is_empty() { "a field".to_owned() } else { named };
    Refusal { code, means: Some(format!("Kimai does not take {named} from this token: {why}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(words: &str) -> Option<Code> {
        read(&[(String::new(), words.to_owned())], &Value::Null).map(|refusal| refusal.code)
    }

    #[test]
    fn each_sentence_of_kimai_has_its_code() {
        let table = [
            ("This period is locked. Please choose a later date.", Some(Code::PeriodLocked)),
            ("This period is locked, please choose a later date.", Some(Code::PeriodLocked)),
            ("Maximum 8:00 hours allowed.", Some(Code::DurationTooLong)),
            ("The budget is used up. Of the available 1:00, …", Some(Code::BudgetUsedUp)),
            ("The budget is completely used.", Some(Code::BudgetUsedUp)),
            ("The selected choice is invalid.", Some(Code::ChoiceInvalid)),
            ("You already have an entry for this time.", Some(Code::OverlapRefused)),
            ("Something nobody has seen yet.", None),
        ];
        for (words, code) in table {
            assert_eq!(said(words), code, "{words}");
        }
    }

    #[test]
    fn of_fields_too_many_it_is_said_which_and_why() {
        let form = |names: &[&str]| {
            let children: serde_json::Map<String, Value> =
                names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
            json!({"errors": {"errors": [EXTRA_FIELDS], "children": children}})
        };
        let punch = ["project", "activity", "description", "tags", "user"];
        let plain = ["begin", "end", "project", "activity", "description", "tags"];
        let table = [
            (form(&punch), Code::TrackingMode, "begin and end from this token: its tracking mode (punch)"),
            (form(&plain), Code::RightMissing, "user from this token: the role"),
            (form(&["begin", "end"]), Code::TrackingMode, "begin and end"),
            (form(&["user"]), Code::RightMissing, "create_other_timesheet"),
            (Value::Null, Code::FieldsRefused, "a field"),
        ];
        for (body, code, words) in table {
            let refusal = read(&[(String::new(), EXTRA_FIELDS.to_owned())], &body).unwrap();
            assert_eq!(refusal.code, code, "{body}");
            assert!(refusal.means.as_ref().unwrap().contains(words), "{refusal:?}");
        }
    }
}
