//! A directory that can be written to without a byte of it changing: what is written stays in memory, in front of the files.
//!
//! For `larder check`: the start of a server, tried for real on a directory that nobody may touch; and for a second database as of
//! one moment, beside the one that goes on. The lock is not asked for: whoever makes an overlay holds that of the directory beneath.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;
use stdx::sync::Mutex;

use super::{VFile, Vfs};
use crate::Error;

/// See the module. Clones share what was written.
pub struct OverlayFs<V: Vfs> {
    beneath: V,
    names: Arc<Mutex<BTreeMap<String, Entry<V>>>>,
    /// Files beneath that were not touched are not seen.
    is_closed: bool,
}

/// A name that was touched: its file, or nothing once it is removed.
type Entry<V> = Option<Arc<Mutex<Layer<<V as Vfs>::File>>>>;

/// Where the bytes of a file are.
enum Layer<F> {
    /// Still those beneath.
    Beneath(F),
    /// In memory, since the first change.
    Own(Vec<u8>),
}

/// A file of an [`OverlayFs`].
pub struct OverlayFile<V: Vfs> {
    layer: Arc<Mutex<Layer<V::File>>>,
}

impl<V: Vfs> OverlayFs<V> {
    /// The directory of `beneath`, which is only read from here on.
    pub fn new(beneath: V) -> Self {
        Self { beneath, names: Arc::default(), is_closed: false }
    }

    /// Of the directory of `beneath` only the files `shown`, as they are now, and beside them `own` ones in memory. Whatever else
    /// is there, comes or goes is not seen; what is shown must not be written any more.
    ///
    /// # Errors
    /// [`Error::Io`] when one of `shown` is not there.
    pub fn of(
        beneath: V,
        shown: &[String],
        own: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, Error> {
        let mut names = BTreeMap::new();
        for name in shown {
            let layer = Layer::Beneath(beneath.open(name)?);
            names.insert(name.clone(), Some(Arc::new(Mutex::new(layer))));
        }
        let own = own.into_iter();
        names
            .extend(own.map(|(name, bytes)| (name, Some(Arc::new(Mutex::new(Layer::Own(bytes)))))));
        Ok(Self { beneath, names: Arc::new(Mutex::new(names)), is_closed: true })
    }

    fn no_such_file(&self, operation: &'static str, name: &str) -> Error {
        Error::io(operation, self.path(name), std::io::ErrorKind::NotFound.into())
    }
}

impl<V: Vfs> Clone for OverlayFs<V> {
    fn clone(&self) -> Self {
        let (beneath, names) = (self.beneath.clone(), Arc::clone(&self.names));
        Self { beneath, names, is_closed: self.is_closed }
    }
}

impl<V: Vfs> Vfs for OverlayFs<V> {
    type File = OverlayFile<V>;
    type Lock = ();

    fn lock(&self) -> Result<(), Error> {
        Ok(())
    }

    fn create_new(&self, name: &str, bytes: u64) -> Result<OverlayFile<V>, Error> {
        if self.list()?.iter().any(|known| known == name) {
            let exists = std::io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", self.path(name), exists));
        }
        let layer = Arc::new(Mutex::new(Layer::Own(vec![0; offset(bytes)])));
        self.names.lock().insert(name.to_owned(), Some(Arc::clone(&layer)));
        Ok(OverlayFile { layer })
    }

    fn open(&self, name: &str) -> Result<OverlayFile<V>, Error> {
        let mut names = self.names.lock();
        let layer = match names.get(name) {
            Some(Some(layer)) => Arc::clone(layer),
            Some(None) => return Err(self.no_such_file("open", name)),
            None if self.is_closed => return Err(self.no_such_file("open", name)),
            None => {
                let layer = Arc::new(Mutex::new(Layer::Beneath(self.beneath.open(name)?)));
                names.insert(name.to_owned(), Some(Arc::clone(&layer)));
                layer
            }
        };
        Ok(OverlayFile { layer })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let file = self.open(from)?;
        let mut names = self.names.lock();
        names.insert(from.to_owned(), None);
        names.insert(to.to_owned(), Some(file.layer));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.open(name)?;
        self.names.lock().insert(name.to_owned(), None);
        Ok(())
    }

    fn sync_dir(&self) -> Result<(), Error> {
        Ok(())
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        let beneath = if self.is_closed { Vec::new() } else { self.beneath.list()? };
        let names = self.names.lock();
        let mut list: Vec<_> =
            beneath.into_iter().filter(|name| !names.contains_key(name)).collect();
        let there = names.iter().filter(|(_, entry)| entry.is_some());
        list.extend(there.map(|(name, _)| name.clone()));
        Ok(list)
    }

    fn free_bytes(&self) -> Result<u64, Error> {
        Ok(u64::MAX)
    }

    fn path(&self, name: &str) -> String {
        self.beneath.path(name)
    }
}

impl<V: Vfs> OverlayFile<V> {
    fn change(&self, act: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let mut layer = self.layer.lock();
        if let Layer::Beneath(file) = &*layer {
            let bytes = file.map()?.to_vec();
            *layer = Layer::Own(bytes);
        }
        if let Layer::Own(bytes) = &mut *layer {
            act(bytes);
        }
        Ok(())
    }
}

impl<V: Vfs> VFile for OverlayFile<V> {
    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let start = offset(at);
        self.change(|own| {
            own.resize(own.len().max(start + bytes.len()), 0);
            own.splice(start..start + bytes.len(), bytes.iter().copied());
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> Result<(), Error> {
        self.change(|own| own.resize(offset(bytes), 0))
    }

    fn reserve(&self, bytes: u64) -> Result<(), Error> {
        self.change(|own| own.resize(own.len().max(offset(bytes)), 0))
    }

    fn clear_from(&self, at: u64) -> Result<(), Error> {
        self.change(|own| own.iter_mut().skip(offset(at)).for_each(|byte| *byte = 0))
    }

    fn data_from(&self, at: u64) -> Result<Option<Range<u64>>, Error> {
        match &*self.layer.lock() {
            Layer::Beneath(file) => file.data_from(at),
            Layer::Own(own) => Ok((at < own.len() as u64).then_some(at..own.len() as u64)),
        }
    }

    fn map(&self) -> Result<Bytes, Error> {
        match &*self.layer.lock() {
            Layer::Beneath(file) => file.map(),
            Layer::Own(own) => Ok(own.clone().into()),
        }
    }

    fn map_scattered(&self) -> Result<Bytes, Error> {
        match &*self.layer.lock() {
            Layer::Beneath(file) => file.map_scattered(),
            Layer::Own(own) => Ok(own.clone().into()),
        }
    }

    fn will_need(&self, range: Range<u64>) {
        if let Layer::Beneath(file) = &*self.layer.lock() {
            file.will_need(range);
        }
    }
}

fn offset(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::SimFs;

    #[test]
    fn what_is_written_is_seen_above_and_never_beneath() {
        let beneath = SimFs::new();
        for name in ["a", "b", "c"] {
            beneath.create_new(name, 0).and_then(|file| file.write_at(0, b"old")).expect("made");
        }
        let above = OverlayFs::new(beneath.clone());
        let a = above.open("a").expect("there");
        a.write_at(2, b"new").expect("written");
        above.rename("b", "d").expect("renamed");
        above.remove("c").expect("removed");
        above.create_new("e", 2).expect("made");
        assert!(above.create_new("a", 0).is_err() && above.open("b").is_err());
        let mut names = above.list().expect("listed");
        names.sort_unstable();
        assert_eq!(names, ["a", "d", "e"]);
        let again = above.open("a").and_then(|file| file.map()).expect("read");
        assert_eq!(
            (&*again, &*above.open("e").expect("there").map().expect("read")),
            (&b"olnew"[..], &[0; 2][..])
        );
        a.clear_from(1).and_then(|()| a.reserve(7)).and_then(|()| a.set_len(6)).expect("changed");
        assert_eq!(&*a.map().expect("read"), b"o\0\0\0\0\0");
        let mut beneath_names = beneath.list().expect("listed");
        beneath_names.sort_unstable();
        assert_eq!(beneath_names, ["a", "b", "c"]);
        assert_eq!((beneath.bytes("a"), beneath.bytes("c")), (b"old".to_vec(), b"old".to_vec()));
    }

    #[test]
    fn an_overlay_of_some_files_sees_no_others_and_keeps_those_that_go() {
        let beneath = SimFs::new();
        for name in ["a", "b"] {
            beneath.create_new(name, 0).and_then(|file| file.write_at(0, b"old")).expect("made");
        }
        assert!(OverlayFs::of(beneath.clone(), &["c".to_owned()], []).is_err());
        let own = [("own".to_owned(), b"new".to_vec())];
        let above = OverlayFs::of(beneath.clone(), &["a".to_owned()], own).expect("it is there");
        beneath.remove("a").and_then(|()| beneath.create_new("c", 0)).expect("it goes on");
        assert_eq!(above.list().expect("listed"), ["a", "own"]);
        assert!(above.open("b").is_err() && above.open("c").is_err());
        let bytes = |name| above.open(name).and_then(|file| file.map()).expect("read");
        assert_eq!((&*bytes("a"), &*bytes("own")), (&b"old"[..], &b"new"[..]));
        above.create_new("b", 1).expect("what is not seen does not stand in the way");
    }
}
