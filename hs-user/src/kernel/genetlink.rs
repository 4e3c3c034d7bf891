//! Questions by generic netlink to the families `ethtool` and `netdev`. Asking needs no privilege.
//!
//! Numbers are those of linux/ethtool_netlink.h, linux/netdev.h and linux/genetlink.h.

use std::collections::BTreeSet;
use std::io;

use netlink_packet_core::{
    DefaultNla, Emitable as _, NLA_F_NESTED, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable,
    NlasIterator,
};
use netlink_sys::protocols::NETLINK_GENERIC;

use super::netlink::exchange;

/// The family that tells the number of every other one.
const CONTROLLER: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// The driver runs XDP programs and can pass, drop, or abort.
const NETDEV_XDP_ACT_BASIC: u64 = 1;

const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_MSG_RSS_GET: u8 = 38;
/// The first attribute of each question to ethtool: which device it is about.
const ETHTOOL_A_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const ETHTOOL_A_RSS_HKEY: u16 = 5;
const ETHTOOL_A_RSS_INPUT_XFRM: u16 = 6;

/// Whether the interface's driver runs XDP itself. `None` if the kernel does not tell: before Linux 6.3.
pub(super) fn has_native_xdp(index: u32) -> Option<bool> {
    let device = DefaultNla::new(NETDEV_A_DEV_IFINDEX, index.to_ne_bytes().to_vec());
    let answer = ask(b"netdev\0", NETDEV_CMD_DEV_GET, &device).ok()?;
    let features = find(&answer, NETDEV_A_DEV_XDP_FEATURES)?;
    Some(u64::from_ne_bytes(features.try_into().ok()?) & NETDEV_XDP_ACT_BASIC != 0)
}

/// The offloads that are on, under ethtool's names, such as `rx-gro-hw`.
///
/// # Errors
/// The kernel's; it has none of this before Linux 5.6.
pub(super) fn active_features(index: u32) -> io::Result<BTreeSet<String>> {
    let answer = ask_ethtool(ETHTOOL_MSG_FEATURES_GET, index)?;
    let active = find(&answer, ETHTOOL_A_FEATURES_ACTIVE).unwrap_or_default();
    let bits = find(active, ETHTOOL_A_BITSET_BITS).unwrap_or_default();
    let names = attributes(bits).filter_map(|(_, bit)| find(bit, ETHTOOL_A_BITSET_BIT_NAME));
    Ok(names.map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()).collect())
}

/// Whether both directions of a connection come to the same receive queue. `None` if the kernel does not tell:
/// before Linux 6.3, or by this driver.
pub(super) fn has_symmetric_rss(index: u32) -> Option<bool> {
    let answer = ask_ethtool(ETHTOOL_MSG_RSS_GET, index).ok()?;
    is_symmetric(find(&answer, ETHTOOL_A_RSS_HKEY)?, find(&answer, ETHTOOL_A_RSS_INPUT_XFRM))
}

/// The card mixes addresses and ports before it hashes; or the key of its Toeplitz hash repeats every 16 bits, by
/// which exchanging them changes nothing (Woo and Park, Scalable TCP session monitoring with symmetric receive-side
/// scaling, 2012).
fn is_symmetric(key: &[u8], transformation: Option<&[u8]>) -> Option<bool> {
    let mixed = transformation.is_some_and(|mixed| mixed.iter().any(|byte| *byte != 0));
    let first = key.get(..2)?;
    Some(mixed || key.chunks(2).all(|pair| first.starts_with(pair)))
}

fn ask_ethtool(command: u8, index: u32) -> io::Result<Vec<u8>> {
    let device = DefaultNla::new(ETHTOOL_A_HEADER_DEV_INDEX, index.to_ne_bytes().to_vec());
    ask(b"ethtool\0", command, &DefaultNla::new(ETHTOOL_A_HEADER | NLA_F_NESTED, encoded(&device)))
}

/// The attributes of the answer.
fn ask(family: &[u8], command: u8, question: &DefaultNla) -> io::Result<Vec<u8>> {
    let name = DefaultNla::new(CTRL_ATTR_FAMILY_NAME, family.to_vec());
    let about = send(CONTROLLER, CTRL_CMD_GETFAMILY, &name)?;
    let number = find(&about, CTRL_ATTR_FAMILY_ID).and_then(|number| number.try_into().ok());
    let number = number.ok_or_else(|| io::Error::other("the kernel names no number of the family"))?;
    send(u16::from_ne_bytes(number), command, question)
}

fn send(family: u16, command: u8, question: &DefaultNla) -> io::Result<Vec<u8>> {
    Ok(exchange(NETLINK_GENERIC, Generic { family, command, attributes: encoded(question) })?.attributes)
}

fn encoded(attribute: &DefaultNla) -> Vec<u8> {
    let mut bytes = vec![0; attribute.buffer_len()];
    attribute.emit(&mut bytes);
    bytes
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(Result::ok).map(|attribute| {
        let length = attribute.value_length();
        (attribute.kind(), attribute.into_inner().get(4..4 + length).unwrap_or_default())
    })
}

fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A message of generic netlink: four bytes of header (`struct genlmsghdr`), and attributes.
#[derive(Debug)]
struct Generic {
    family: u16,
    command: u8,
    attributes: Vec<u8>,
}

const HEADER: usize = 4;
const VERSION: u8 = 1;

impl NetlinkSerializable for Generic {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        HEADER + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(HEADER);
        header.copy_from_slice(&[self.command, VERSION, 0, 0]);
        attributes.copy_from_slice(&self.attributes);
    }
}

impl NetlinkDeserializable for Generic {
    type Error = io::Error;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> io::Result<Generic> {
        let (start, attributes) = payload.split_at_checked(HEADER).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Generic { family: header.message_type, command: start[0], attributes: attributes.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_symmetric_by_its_key_or_by_what_the_card_mixes() {
        let repeating = [0x6d, 0x5a].repeat(20);
        let mut random = repeating.clone();
        random[30] = 7;
        assert_eq!(is_symmetric(&repeating, None), Some(true));
        assert_eq!(is_symmetric(&random, None), Some(false));
        assert_eq!(is_symmetric(&random, Some(&[0, 0, 0, 0])), Some(false));
        assert_eq!(is_symmetric(&random, Some(&[1, 0, 0, 0])), Some(true));
        assert_eq!(is_symmetric(&[], None), None);
    }

    #[test]
    fn attributes_are_found_among_others_and_within_others() {
        let inner = encoded(&DefaultNla::new(2, b"abc".to_vec()));
        let bytes =
            [encoded(&DefaultNla::new(1, vec![9])), encoded(&DefaultNla::new(5 | NLA_F_NESTED, inner))]
                .concat();
        assert_eq!(find(&bytes, 1), Some(&[9][..]));
        assert_eq!(find(&bytes, 5).and_then(|inner| find(inner, 2)), Some(&b"abc"[..]));
        assert_eq!(find(&bytes, 3), None);
        assert_eq!(find(&bytes[..3], 1), None);
    }
}
