//! The interfaces of a watch: their names, how they are watched, and whether they are still there.

use std::collections::HashMap;

use crate::kernel::Attachment;
use crate::metrics::InterfaceState;

/// What is watched.
pub(super) struct Interfaces {
    attachments: Vec<Attachment>,
    /// Numbers of those that went away.
    gone: Vec<u32>,
    names: HashMap<u32, String>,
}

impl Interfaces {
    pub(super) fn new(attachments: Vec<Attachment>) -> Interfaces {
        let mut interfaces = Interfaces { attachments, gone: Vec::new(), names: HashMap::new() };
        interfaces.names = interfaces.names().into_iter().collect();
        interfaces
    }

    /// Each number and name.
    pub(super) fn names(&self) -> Vec<(u32, String)> {
        self.attachments.iter().map(|it| (it.interface.index, it.interface.name.clone())).collect()
    }

    /// The name of an interface.
    pub(super) fn name(&self, index: u32) -> &str {
        self.names.get(&index).map_or("?", String::as_str)
    }

    /// The name of the interface, if there is one only.
    pub(super) fn sole(&self) -> Option<&str> {
        let [only] = self.attachments.as_slice() else { return None };
        Some(&only.interface.name)
    }

    /// Those that went away since it was last asked.
    pub(super) fn newly_gone(&mut self) -> Vec<String> {
        let mut newly = Vec::new();
        for Attachment { interface, .. } in &self.attachments {
            if !self.gone.contains(&interface.index) && !interface.is_there() {
                self.gone.push(interface.index);
                newly.push(interface.name.clone());
            }
        }
        newly
    }

    /// Whether none is left.
    pub(super) fn all_gone(&self) -> bool {
        self.gone.len() == self.attachments.len()
    }

    /// What is told of them.
    pub(super) fn states(&self) -> Vec<InterfaceState> {
        let state = |attachment: &Attachment| InterfaceState {
            name: attachment.interface.name.clone(),
            ingress: attachment.ingress,
            present: !self.gone.contains(&attachment.interface.index),
        };
        self.attachments.iter().map(state).collect()
    }
}
