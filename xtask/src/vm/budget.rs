//! What the verifier may have to do for each program: its instructions processed, watched like a benchmark.

/// The most instructions that the verifier may process, on any kernel: half as much again as it takes now.
/// The kernel itself gives up at a million, but a step towards it shall be noticed when it is taken.
const LIMITS: &[(&str, u32)] = &[
    ("hs_xdp", 20_000),
    ("hs_tc_ingress", 20_000),
    ("hs_tc_egress", 20_000),
    ("hs_tc_ingress_l3", 11_000),
    ("hs_tc_egress_l3", 11_000),
    ("hs_replay", 75_000),
    ("hs_follow_xdp", 50_000),
    ("hs_follow_tc", 50_000),
    ("hs_hold_xdp", 10),
    ("hs_hold_tc", 10),
    ("hs_sweep", 10_000),
];

/// What the verifier did for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The program.
    pub program: String,
    /// Instructions processed.
    pub instructions: u32,
    /// States kept: for the eye. Only the verifier's log tells, and not the kernel of a program it has loaded.
    pub states: Option<u32>,
    /// Bytes of stack of the function that has most: likewise.
    pub stack: Option<u32>,
}

impl Cost {
    /// Reads `verifier PROGRAM insns=N`, and behind it `states=N stack=N` if they are there.
    pub fn parse(line: &str) -> Option<Self> {
        let (program, numbers) = line.strip_prefix("verifier ")?.split_once(' ')?;
        let number = |name: &str| {
            let number = numbers.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            number?.parse().ok()
        };
        let (states, stack) = (number("states"), number("stack"));
        Some(Self { program: program.to_owned(), instructions: number("insns")?, states, stack })
    }
}

/// The limit of a program.
pub fn limit(program: &str) -> Option<u32> {
    LIMITS.iter().find(|(name, _)| *name == program).map(|(_, limit)| *limit)
}

/// What of the costs is not within the budget.
pub fn objections(costs: &[Cost]) -> Vec<String> {
    costs.iter().filter_map(objection).collect()
}

fn objection(Cost { program, instructions, .. }: &Cost) -> Option<String> {
    match limit(program) {
        None => Some(format!("program {program} has no limit: give it one in xtask/src/vm/budget.rs")),
        Some(limit) if *instructions > limit => {
            Some(format!("program {program} costs the verifier {instructions} instructions, limit {limit}"))
        }
        Some(_) => None,
    }
}

/// Programs with a limit of which nothing was measured: that would pass for within it.
pub fn unmeasured(costs: &[Cost]) -> Vec<String> {
    let measured = |name: &str| costs.iter().any(|cost| cost.program == name);
    let missing = LIMITS.iter().map(|(name, _)| *name).filter(|name| !measured(name));
    missing.map(|name| format!("what {name} costs was not measured")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(program: &str, instructions: u32) -> Cost {
        Cost { program: program.to_owned(), instructions, states: Some(80), stack: Some(96) }
    }

    #[test]
    fn reads_costs_and_nothing_else() {
        let bare = Cost { states: None, stack: None, ..cost("hs_xdp", 1436) };
        let cases = [
            ("verifier hs_xdp insns=1436 states=80 stack=96", Some(cost("hs_xdp", 1436))),
            ("verifier hs_xdp stack=96 insns=1436 states=80", Some(cost("hs_xdp", 1436))),
            ("verifier hs_xdp insns=1436", Some(bare)),
            ("verifier hs_xdp", None),
            ("verifier hs_xdp states=80 stack=96", None),
            ("verifier hs_xdp insns=many states=80 stack=96", None),
            ("the verifier hs_xdp insns=1 states=80 stack=96", None),
        ];
        for (line, expected) in cases {
            assert_eq!(Cost::parse(line), expected, "{line}");
        }
    }

    #[test]
    fn over_the_limit_and_without_one_are_objected_to() {
        assert!(objections(&[cost("hs_xdp", 20_000)]).is_empty());
        assert!(objections(&[cost("hs_xdp", 20_001)])[0].contains("limit 20000"));
        assert!(objections(&[cost("unheard_of", 1)])[0].contains("no limit"));
        assert!(unmeasured(&[cost("hs_xdp", 1)])[0].contains("hs_tc_ingress "));
    }
}
