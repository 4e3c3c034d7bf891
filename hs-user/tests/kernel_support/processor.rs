//! Where a thread runs.

use std::io;

/// Runs something on this processor.
pub fn on_processor<T: Send>(number: usize, work: impl FnOnce() -> T + Send) -> T {
    let pinned = || {
        // SAFETY: the set is zeroed, which is an empty one, and outlives the call; it is about this thread.
        let set = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(number, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
        };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
        work()
    };
    std::thread::scope(|scope| scope.spawn(pinned).join().expect("it does not panic"))
}
