//! Finding control groups that this process may make.

use std::fs;
use std::path::{Path, PathBuf};

use super::owner::{Base, INSTANCE};
use super::{Groups, Layout};

/// Where the server goes in version 2.
const SERVER_LEAF: &str = "marquetry-server";

/// A mounted hierarchy: controllers ("" for version 2), the part of it that is mounted, and where.
struct Hierarchy {
    controllers: String,
    root: PathBuf,
    mount: PathBuf,
}

impl Groups {
    /// Finds groups by `mountinfo` and `cgroup` of this process's `/proc` folder, and makes the
    /// folder of the instance. The error says why there are none.
    pub(crate) fn find(proc: &Path, instance: &str) -> Result<Self, String> {
        let read = |name: &str| fs::read_to_string(proc.join(name)).unwrap_or_default();
        let hierarchies = hierarchies(&read("mountinfo"));
        let own = read("cgroup");
        let folder = format!("{INSTANCE}{instance}");
        let layout = version_2(&hierarchies, &own, &folder).or_else(|second| {
            version_1(&hierarchies, &own, &folder)
                .map_err(|first| format!("version 2: {second}; version 1: {first}"))
        })?;
        Ok(Self::new(layout))
    }
}

fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<_> = left.split(' ').collect();
            let right: Vec<_> = right.split(' ').collect();
            let controllers = match *right.first()? {
                "cgroup2" => String::new(),
                "cgroup" => (*right.get(2)?).to_owned(),
                _ => return None,
            };
            Some(Hierarchy {
                controllers,
                root: PathBuf::from(left.get(3)?),
                mount: PathBuf::from(left.get(4)?),
            })
        })
        .collect()
}

/// The folder of this process in a hierarchy.
fn own_folder(hierarchies: &[Hierarchy], own: &str, controller: &str) -> Result<PathBuf, String> {
    let named = |list: &str| list.split(',').any(|name| name == controller);
    let hierarchy = hierarchies
        .iter()
        .find(|hierarchy| named(&hierarchy.controllers))
        .ok_or_else(|| "not mounted".to_owned())?;
    let path = own
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .find_map(|(names, path)| named(names).then(|| Path::new(path)))
        .ok_or_else(|| "this process is in none".to_owned())?;
    // In a container only a part of the hierarchy is mounted.
    let below = path
        .strip_prefix(&hierarchy.root)
        .or_else(|_| path.strip_prefix("/"))
        .unwrap_or(path);
    let folder = hierarchy.mount.join(below);
    Ok(if folder.is_dir() {
        folder
    } else {
        hierarchy.mount.clone()
    })
}

fn version_1(hierarchies: &[Hierarchy], own: &str, name: &str) -> Result<Layout, String> {
    let folder = |controller: &str| {
        let folder = own_folder(hierarchies, own, controller)
            .map_err(|reason| format!("{controller}: {reason}"))?
            .join(name);
        hold(folder)
    };
    Ok(Layout::V1 {
        memory: folder("memory")?,
        pids: folder("pids")?,
    })
}

/// Version 2 wants processes in leaves only, so the server goes into one beside its children's.
fn version_2(hierarchies: &[Hierarchy], own: &str, name: &str) -> Result<Layout, String> {
    let mut folder = own_folder(hierarchies, own, "")?;
    // A server that has replaced itself is there already.
    if folder.ends_with(SERVER_LEAF) {
        folder.pop();
    }
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let has = |path: &Path| {
        let list = read(path);
        ["memory", "pids"]
            .iter()
            .all(|name| list.split_ascii_whitespace().any(|word| word == *name))
    };
    if !has(&folder.join("cgroup.controllers")) {
        return Err("the memory and pids controllers are not delegated".to_owned());
    }
    let enable = |folder: &Path| {
        let control = folder.join("cgroup.subtree_control");
        if has(&control) {
            return Ok(());
        }
        fs::write(&control, "+memory +pids")
            .map_err(|error| format!("enable controllers in {}: {error}", folder.display()))
    };
    if enable(&folder).is_err() {
        let leaf = make(&folder.join(SERVER_LEAF))?;
        fs::write(leaf.join("cgroup.procs"), "0")
            .map_err(|error| format!("move the server into {}: {error}", leaf.display()))?;
        enable(&folder)?;
    }
    let base = hold(folder.join(name))?;
    enable(&base.path)?;
    Ok(Layout::V2 { base })
}

fn hold(folder: PathBuf) -> Result<Base, String> {
    let path = folder.display().to_string();
    Base::hold(folder).map_err(|error| format!("make {path}: {error}"))
}

fn make(folder: &Path) -> Result<PathBuf, String> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(folder.to_path_buf()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(folder.to_path_buf()),
        Err(error) => Err(format!("make {}: {error}", folder.display())),
    }
}
