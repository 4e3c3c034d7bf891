//! What the verifier has to do for a program, by its own words.

use std::fmt;
use std::io;

use aya::programs::ProgramError;
use hs_mon::kernel::Kernel;

/// What a program costs.
#[derive(Debug, PartialEq, Eq)]
pub struct Cost {
    /// Instructions processed, each as often as it was looked at.
    pub instructions: u32,
    /// States kept at the end, for comparison with others at the same instruction.
    pub states: u32,
    /// Bytes of stack of each function, the main one first.
    pub stack: Vec<u32>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "insns={} states={} stack={}", self.instructions, self.states, self.largest_frame())
    }
}

impl Cost {
    /// The stack of the function that has most of it.
    pub fn largest_frame(&self) -> u32 {
        self.stack.iter().copied().max().unwrap_or(0)
    }

    /// Reads `processed 37059 insns (limit 1000000) … total_states 1103 …` and `stack depth 104+0+72`.
    fn read(log: &str) -> Option<Cost> {
        let after = |word: &str| log.split_once(word).map(|(_, rest)| rest);
        let number = |word: &str| after(word)?.split_whitespace().next()?.parse().ok();
        let depths = after("stack depth ")?.lines().next()?.split('+');
        let stack = depths.map(|depth| depth.trim().parse().ok()).collect::<Option<Vec<u32>>>()?;
        Some(Cost { instructions: number("processed ")?, states: number("total_states ")?, stack })
    }
}

/// Has a program verified, without keeping it. Only with an error does aya hand out what the verifier said;
/// so the process may open no file for that long, and the kernel, done with everything else, can't hand out the
/// program. (For other threads too: these tests run one at a time.)
pub fn cost(kernel: &mut Kernel, program: &str) -> Cost {
    let limit = limit_files(0).expect("the limit of open files can be lowered");
    let refused = kernel.verify(program);
    limit_files(limit).expect("the limit of open files can be raised again");
    let error = refused.expect_err("no program without a file");
    let log = error.chain().find_map(|cause| match cause.downcast_ref::<ProgramError>() {
        Some(ProgramError::LoadError { verifier_log, io_error }) => {
            assert_eq!(io_error.raw_os_error(), Some(libc::EMFILE), "{program}: {error:#}");
            Some(verifier_log.to_string())
        }
        _ => None,
    });
    let log = log.unwrap_or_else(|| panic!("{program}: {error:#}"));
    Cost::read(&log).unwrap_or_else(|| panic!("{program}: the verifier says nothing of its cost: {log:?}"))
}

/// Sets how many files this process may open, and returns how many that were.
fn limit_files(number: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a limit that outlives them.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0
            && libc::setrlimit(
                libc::RLIMIT_NOFILE,
                &libc::rlimit { rlim_cur: number, rlim_max: limit.rlim_max },
            ) == 0
    };
    if done { Ok(limit.rlim_cur) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn the_verifiers_words_are_read() {
    let log = "verification time 51277 usec\nstack depth 104+0+72\n\
               processed 37059 insns (limit 1000000) max_states_per_insn 30 total_states 1103 peak_states 812 mark_read 60\n";
    let expected = Cost { instructions: 37_059, states: 1103, stack: vec![104, 0, 72] };
    assert_eq!(Cost::read(log), Some(expected));
    assert_eq!(Cost::read("processed many insns"), None);
}
