//! Facts of interfaces.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::super::facts::Card;
use crate::kernel::{Interface, interface_names, xdp_holder};

/// The device is up (linux/if.h).
const IFF_UP: u32 = 1;

/// Looks at these interfaces; if none is named, at all that are up.
pub fn interfaces(named: &[String]) -> Vec<(String, Result<Card>)> {
    let names = if named.is_empty() {
        interface_names().into_iter().filter(|name| is_up(name)).collect()
    } else {
        named.to_vec()
    };
    names.into_iter().map(|name| (name.clone(), card(&name))).collect()
}

fn card(name: &str) -> Result<Card> {
    let interface = Interface::named(name)?;
    Ok(Card {
        up: is_up(name),
        driver: driver(name).or_else(|| interface.kind()),
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
