//! How records that became durable together are written down: the length of each, four bytes, the
//! lowest first, and the record.

use bytes::Bytes;

/// One row's body.
pub(crate) fn join<'a>(records: impl Iterator<Item = &'a Bytes>) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        // A record has a few MiB at most.
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(record);
    }
    body
}

/// The records of a row; `None` when it is damaged.
pub(crate) fn split(mut body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        records.push(record);
        body = rest;
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)
        ) {
            let records: Vec<Bytes> = records.into_iter().map(Bytes::from).collect();
            let body = join(records.iter());
            prop_assert_eq!(split(&body).unwrap(), records);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            drop(split(&bytes));
        }
    }

    #[test]
    fn a_row_that_was_cut_is_damaged() {
        let body = join([Bytes::from_static(b"one"), Bytes::from_static(b"two")].iter());
        for (length, whole) in
            [(0, true), (3, false), (7, true), (8, false), (13, false), (14, true)]
        {
            assert_eq!(split(&body[..length]).is_some(), whole, "{length}");
        }
    }
}
