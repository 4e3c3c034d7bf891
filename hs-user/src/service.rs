//! What hs-mon tells the service manager that started it, by sd_notify(3). Without one, nothing is said, and what can't
//! be said is no reason to stop watching.

use std::time::Duration;

use sd_notify::NotifyState;

/// It watches now; `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It is at work still: said by the very loop that does the work.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// It ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the manager wants to hear [`alive`], if it does: twice in the time after which it would restart hs-mon.
pub fn alive_every() -> Option<Duration> {
    Some(sd_notify::watchdog_enabled()? / 2).filter(|every| !every.is_zero())
}

fn tell(state: &[NotifyState<'_>]) {
    sd_notify::notify(state).ok();
}
