//! Who asks, and what their role allows by default.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::answer::Answer;
use super::request::Request;
use super::state::{Row, State, StoredTimesheet, flag, holds};
use super::time;

/// Kimai's roles, each with all rights of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Own records only.
    User,
    /// Also the records of the members of teams led.
    Teamlead,
    /// Everybody's records, also exported ones; the catalogue.
    Admin,
    /// Also records in locked periods (`lockdown_override_timesheet`), and users: `view_user` is what `GET /users` needs.
    SuperAdmin,
}

impl Role {
    /// As in a user's `roles`; a plain user has none.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::User => &[],
            Self::Teamlead => &["ROLE_TEAMLEAD"],
            Self::Admin => &["ROLE_ADMIN"],
            Self::SuperAdmin => &["ROLE_SUPER_ADMIN"],
        }
    }

    fn of(user: &Row) -> Self {
        let names = user.get("roles").and_then(Value::as_array);
        let has = |role: &Self| {
            names.is_some_and(|held| role.names().iter().all(|name| held.iter().any(|one| one == name)))
        };
        [Self::SuperAdmin, Self::Admin, Self::Teamlead].into_iter().find(has).unwrap_or(Self::User)
    }
}

/// The owner of the token.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) id: u64,
    pub(super) role: Role,
    pub(super) zone: TimeZone,
}

/// Finds the token's owner. The scheme is case-sensitive; the query string is not looked at.
pub(super) fn identify(state: &State, request: &Request) -> Result<Who, Answer> {
    let token = request.authorization.as_deref().and_then(|header| header.strip_prefix("Bearer "));
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        let early = Answer::refused_early(401);
        return Err(if request.legacy_login { Answer::wrong_password() } else { early });
    };
    let known = state.tokens.iter().find(|known| known.text == token && !known.expired);
    let owner = known.and_then(|token| Some((token.user, state.users.get(token.user)?)));
    match owner {
        Some((id, user)) if flag(user, "enabled") => {
            Ok(Who { id, role: Role::of(user), zone: time::zone(super::state::text(user, "timezone")) })
        }
        _ => Err(Answer::wrong_token()),
    }
}

impl Who {
    /// 403 unless the role is at least this one.
    pub(super) fn needs(&self, role: Role) -> Result<(), Answer> {
        if self.role >= role { Ok(()) } else { Err(Answer::refused(403)) }
    }

    /// Whether this user's records may be seen and changed.
    pub(super) fn manages(&self, state: &State, user: u64) -> bool {
        match self.role {
            _ if user == self.id => true,
            Role::User => false,
            Role::Teamlead => state.teams.iter().any(|(_, team)| leads(team, self.id) && member(team, user)),
            Role::Admin | Role::SuperAdmin => true,
        }
    }

    /// Whether a row that is kept for some teams may be seen.
    pub(super) fn sees(&self, state: &State, list: &str, id: u64) -> bool {
        let mut teams = state.teams.iter().filter(|(_, team)| holds(team, list, id)).peekable();
        self.role >= Role::Admin || teams.peek().is_none() || teams.any(|(_, team)| member(team, self.id))
    }

    /// 403 if the record is someone else's, exported or locked and the role may not change it.
    pub(super) fn may_change(&self, state: &State, timesheet: &StoredTimesheet) -> Result<(), Answer> {
        let locked = state.rules.locked_before.is_some_and(|limit| timesheet.begin < limit);
        let closed = (timesheet.exported && self.role < state.rules.edit_exported)
            || (locked && self.role < Role::SuperAdmin);
        if self.manages(state, timesheet.user) && !closed { Ok(()) } else { Err(Answer::refused(403)) }
    }
}

fn members(team: &Row) -> impl Iterator<Item = &Row> {
    team.get("members").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn member(team: &Row, user: u64) -> bool {
    members(team).any(|member| super::state::number(member, "user") == Some(user))
}

fn leads(team: &Row, user: u64) -> bool {
    members(team).any(|member| super::state::number(member, "user") == Some(user) && flag(member, "teamlead"))
}
