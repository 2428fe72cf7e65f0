//! Resource limits of the process, checked before the service starts: if they are too low, it would stop accepting
//! connections or be aborted while running.

/// The minimum number of open files: about 25 when idle, and a few connections.
const OPEN_FILES: u64 = 64;
/// The minimum address space; below it allocations eventually fail. Threads reserve far more than they use: an idle
/// service needs 650 MB, one under load 1.1 GB, with 50 MB of memory in use.
const ADDRESS_SPACE: u64 = 1 << 30;

/// Where Linux shows the limits. They are not checked on other systems.
const LIMITS: &str = "/proc/self/limits";

/// That a limit is too low, and what is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct TooLow(Vec<String>);

/// Refuses limits with which the service cannot run.
pub fn check() -> Result<(), TooLow> {
    of(&std::fs::read_to_string(LIMITS).unwrap_or_default())
}

fn of(limits: &str) -> Result<(), TooLow> {
    let mut faults = Vec::new();
    if let Some(files) = soft(limits, "Max open files").filter(|files| *files < OPEN_FILES) {
        faults.push(format!(
            "The limit of open files is {files} (ulimit -n, LimitNOFILE), too low to accept connections: set it \
             to at least {OPEN_FILES}, preferably 2048."
        ));
    }
    if let Some(bytes) = soft(limits, "Max address space").filter(|bytes| *bytes < ADDRESS_SPACE) {
        faults.push(format!(
            "The limit of address space is {} MB (ulimit -v, LimitAS): set it to at least {} MB, or limit the \
             memory in use instead (MemoryMax, docker run --memory), where 100 MB is enough.",
            bytes >> 20,
            ADDRESS_SPACE >> 20
        ));
    }
    if faults.is_empty() { Ok(()) } else { Err(TooLow(faults)) }
}

/// The soft limit of this name; nothing where there is none.
fn soft(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_low_is_told_with_what_is_needed() {
        let limits = |files: &str, space: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max open files            {files:<20} 1048576              files     \n\
                 Max address space         {space:<20} unlimited            bytes     \n"
            )
        };
        let told = |files, space| of(&limits(files, space)).map_err(|fault| fault.to_string());
        assert_eq!(told("1024", "unlimited"), Ok(()));
        assert_eq!(told("64", "1073741824"), Ok(()));
        let few = told("20", "unlimited").unwrap_err();
        assert!(
            few.contains("open files is 20 (ulimit -n") && few.contains("set it to at least 64"),
            "{few}"
        );
        let both = told("20", "314572800").unwrap_err();
        assert!(both.contains("open files is 20") && both.contains("is 300 MB (ulimit -v"), "{both}");
        // Where nothing is known, nothing is refused.
        assert_eq!(of(""), Ok(()));
        assert_eq!(of("Max open files\nMax address space  much"), Ok(()));
    }
}
