//! Facts of interfaces.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::super::facts::Card;
use crate::cli::Selector;
use crate::kernel::{Interface, LinkLayer, xdp_holder};

/// The device is up (linux/if.h).
const IFF_UP: u32 = 1;

/// Looks at the interfaces that are asked for; if none is, at all that are up.
///
/// # Errors
/// The kernel does not answer.
pub fn interfaces(asked: &[Selector]) -> Result<Vec<(String, Result<Card>)>> {
    let present = Interface::all()?;
    let up = present.iter().map(|interface| interface.name.clone()).filter(|name| is_up(name));
    let mut names: Vec<String> = if asked.is_empty() {
        up.collect()
    } else {
        asked.iter().flat_map(|one| meant(one, &present)).collect()
    };
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(|name| (name.clone(), card(&name, &present))).collect())
}

/// The names that are meant, also of one that is not there.
fn meant(asked: &Selector, present: &[Interface]) -> Vec<String> {
    match asked {
        Selector::Name(name) => vec![name.clone()],
        _ => {
            let fits = |one: &&Interface| asked.takes(&one.name, one.link_layer == LinkLayer::Loopback);
            present.iter().filter(fits).map(|one| one.name.clone()).collect()
        }
    }
}

fn card(name: &str, present: &[Interface]) -> Result<Card> {
    let interface = Interface::named(name, present)?;
    Ok(Card {
        up: is_up(name),
        driver: driver(name).or_else(|| interface.kind.clone()),
        xdp_holder: xdp_holder(&interface)?,
        native_xdp: interface.has_native_xdp(),
        features: interface.active_features(),
        vlans: vlans(name),
        queues: entries(&directory(name, "queues")).filter(|queue| queue.starts_with("rx-")).count(),
        symmetric_rss: interface.has_symmetric_rss(),
        interface,
    })
}

fn directory(name: &str, file: &str) -> String {
    format!("/sys/class/net/{name}/{file}")
}

fn is_up(name: &str) -> bool {
    let flags = fs::read_to_string(directory(name, "flags")).unwrap_or_default();
    u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).is_ok_and(|flags| flags & IFF_UP != 0)
}

/// The driver of the device behind the interface; a virtual one has none.
fn driver(name: &str) -> Option<String> {
    let driver = fs::read_link(directory(name, "device/driver")).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

fn vlans(name: &str) -> Vec<String> {
    let above =
        entries(&directory(name, "")).filter_map(|entry| entry.strip_prefix("upper_").map(str::to_owned));
    above.filter(|above| is_vlan(above)).collect()
}

fn is_vlan(name: &str) -> bool {
    let about = fs::read_to_string(directory(name, "uevent")).unwrap_or_default();
    about.lines().any(|line| line == "DEVTYPE=vlan")
}

fn entries(directory: &str) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(Path::new(directory)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}
