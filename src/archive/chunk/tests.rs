use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, ListArray, RecordBatch, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat_batches, interleave_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::ZstdLevel;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::*;
use crate::archive::gather::{Place, Rows};

/// The file of the rows at the places: chunks by [`Chunk`].
fn ours(schema: &SchemaRef, properties: &WriterPropertiesPtr, parts: &[(Vec<RecordBatch>, Vec<Place>)]) -> Bytes {
    let root = ArrowSchemaConverter::new().convert(schema).unwrap();
    let mut file = SerializedFileWriter::new(Vec::new(), root.root_schema_ptr(), properties.clone()).unwrap();
    let mut chunks: Vec<Chunk> =
        root.columns().iter().map(|column| Chunk::new(column.clone(), properties).unwrap()).collect();
    for (batches, places) in parts {
        let rows = Rows::new(batches);
        let mut chunks = chunks.iter_mut();
        for column in (0..schema.fields().len()).map(|column| rows.column(column)) {
            let items = column.items(places);
            for (leaf, chunk) in column.leaves().into_iter().zip(&mut chunks) {
                match &items {
                    None => chunk.append(leaf, places),
                    Some(items) => chunk.append_items(leaf, items),
                }
                .unwrap();
            }
        }
    }
    let mut group = file.next_row_group().unwrap();
    for chunk in chunks {
        let (pages, close) = chunk.close().unwrap();
        group.append_column(&pages, close).unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap().into()
}

/// The same by arrow's writer.
fn arrows(schema: &SchemaRef, properties: &WriterPropertiesPtr, rows: &RecordBatch) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some((**properties).clone())).unwrap();
    writer.write(rows).unwrap();
    writer.into_inner().unwrap().into()
}

fn metadata(file: &Bytes) -> ParquetMetaData {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(file).unwrap()
}

fn rows(schema: &SchemaRef, file: &Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().with_batch_size(1 << 20);
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let read = concat_batches(&batches[0].schema(), &batches).unwrap();
    let columns = read.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, &plain(field.data_type())).unwrap()).collect();
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| Field::new(field.name(), plain(field.data_type()), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Without views and dictionaries, so that equal rows are equal arrays.
fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::List(item) => DataType::List(Arc::new(Field::new("item", plain(item.data_type()), true))),
        DataType::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| Field::new(field.name(), plain(field.data_type()), true)).collect(),
        ),
        _ => DataType::Utf8,
    }
}

fn filter(metadata: &ParquetMetaData, column: usize, file: &Bytes) -> Option<Vec<u8>> {
    let found = Sbbf::read_from_column_chunk(metadata.row_group(0).column(column), file).unwrap();
    found.map(|filter| {
        let mut bytes = Vec::new();
        filter.write(&mut bytes).unwrap();
        bytes
    })
}

fn schema() -> SchemaRef {
    let symbol = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let texts = |deep: Vec<Field>| {
        let fields = [Field::new("symbol", symbol.clone(), true), Field::new("text", DataType::Utf8View, true)];
        fields.into_iter().chain(deep).collect::<Vec<_>>()
    };
    let inner = Field::new("inner", DataType::Struct(texts(vec![]).into()), true);
    let outer = Field::new("outer", DataType::Struct(texts(vec![inner]).into()), true);
    let item = Arc::new(Field::new("item", DataType::Struct(texts(vec![]).into()), true));
    let list = Field::new("list", DataType::List(item), true);
    Arc::new(Schema::new(texts(vec![Field::new("id", DataType::Utf8View, true), outer, list])))
}

/// Which structs a row has, the texts of its columns, and its list, of which an item has two texts or is null.
type Row = ([bool; 2], [Option<String>; 7], Option<Vec<Option<[Option<String>; 2]>>>);

fn batch(rows: &[Row]) -> RecordBatch {
    let symbols = |column: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, texts, _)| texts[column].as_deref()).collect::<DictionaryArray<Int32Type>>())
    };
    let texts = |column: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, texts, _)| texts[column].as_deref()).collect::<StringViewArray>())
    };
    let schema = schema();
    let nested = |kind: &DataType, columns: Vec<ArrayRef>, place: usize| -> ArrayRef {
        let DataType::Struct(fields) = kind else { unreachable!("a struct") };
        let nulls: NullBuffer = rows.iter().map(|(structs, ..)| structs[place]).collect();
        Arc::new(StructArray::new(fields.clone(), columns, Some(nulls)))
    };
    let outer = schema.field(3).data_type();
    let DataType::Struct(fields) = outer else { unreachable!("a struct") };
    let inner = nested(fields[2].data_type(), vec![symbols(3), texts(4)], 1);
    let outer = nested(outer, vec![symbols(5), texts(6), inner], 0);
    let DataType::List(item) = schema.field(4).data_type() else { unreachable!("a list") };
    let DataType::Struct(fields) = item.data_type() else { unreachable!("a struct") };
    let items = || rows.iter().flat_map(|(.., list)| list.iter().flatten());
    let text = |place: usize| items().map(move |item| item.as_ref().and_then(|texts| texts[place].as_deref()));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(text(0).collect::<DictionaryArray<Int32Type>>()), Arc::new(text(1).collect::<StringViewArray>())];
    let structs = StructArray::new(fields.clone(), columns, Some(items().map(Option::is_some).collect()));
    let lengths = rows.iter().map(|(.., list)| list.as_ref().map_or(0, Vec::len));
    let nulls: NullBuffer = rows.iter().map(|(.., list)| list.is_some()).collect();
    let list = ListArray::new(item.clone(), OffsetBuffer::from_lengths(lengths), Arc::new(structs), Some(nulls));
    RecordBatch::try_new(schema.clone(), vec![symbols(0), texts(1), texts(2), outer, Arc::new(list)]).unwrap()
}

fn text() -> impl Strategy<Value = Option<String>> {
    let odd = ["", "twelve bytes", "thirteen byte", "a text of thirty-two bytes, whole", "\u{10ffff}\u{7f}"];
    let odd = odd.map(str::to_owned).into_iter().chain(["é".repeat(40), "z".repeat(64), "z".repeat(65)]);
    let odd = odd.chain(["\u{10ffff}".repeat(20), "\u{d7ff}".repeat(30)]).collect::<Vec<_>>();
    prop_oneof![
        2 => Just(None),
        3 => prop::sample::select(odd).prop_map(Some),
        3 => "[a-c]{0,2}".prop_map(Some),
        1 => "[a-cé]{0,80}".prop_map(Some),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let item = prop::option::weighted(0.8, prop::array::uniform2(text()));
    let list = prop::option::weighted(0.8, prop::collection::vec(item, 0..4));
    (prop::array::uniform2(prop::bool::weighted(0.8)), prop::array::uniform7(text()), list)
}

/// What is small, so that few rows come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Small {
    Nothing,
    Pages,
    /// And dictionaries.
    Both,
}

fn properties(small: Small) -> WriterPropertiesPtr {
    let id = ColumnPath::from("id");
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_data_page_size_limit(256 << 10)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(64))
        .set_bloom_filter_enabled(true)
        .set_bloom_filter_max_ndv(100)
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_statistics_enabled(id, EnabledStatistics::None);
    let builder = match small {
        Small::Nothing => builder,
        Small::Pages | Small::Both => builder.set_write_batch_size(1).set_data_page_row_count_limit(20),
    };
    let builder = match small {
        Small::Nothing | Small::Pages => builder,
        Small::Both => builder.set_dictionary_page_size_limit(300),
    };
    builder.build().into()
}

/// Writes the rows both ways and holds what a reader sees of one file against the other.
fn check(batches: &[RecordBatch], places: &[Place], small: Small) {
    let (schema, properties) = (schema(), properties(small));
    let borrowed: Vec<&RecordBatch> = batches.iter().collect();
    let expected = arrows(&schema, &properties, &interleave_record_batch(&borrowed, places).unwrap());
    // in two parts, of which the second knows the batches in another order
    let (first, second) = places.split_at(places.len() / 2);
    let turned: Vec<RecordBatch> = batches.iter().rev().cloned().collect();
    let second = second.iter().map(|&(batch, row)| (batches.len() - 1 - batch, row)).collect();
    let found = ours(&schema, &properties, &[(batches.to_vec(), first.to_vec()), (turned, second)]);
    assert_eq!(rows(&schema, &found), rows(&schema, &expected));
    let (told, expected_told) = (metadata(&found), metadata(&expected));
    for column in 0..told.row_group(0).num_columns() {
        let (ours, arrows) = (told.row_group(0).column(column), expected_told.row_group(0).column(column));
        let name = ours.column_path().string();
        assert_eq!(ours.statistics(), arrows.statistics(), "{name}");
        assert_eq!(ours.num_values(), arrows.num_values(), "{name}");
        assert_eq!(ours.compression(), arrows.compression(), "{name}");
        assert_eq!(ours.dictionary_page_offset().is_some(), arrows.dictionary_page_offset().is_some(), "{name}");
        assert_eq!(ours.unencoded_byte_array_data_bytes(), arrows.unencoded_byte_array_data_bytes(), "{name}");
        assert_eq!(ours.definition_level_histogram(), arrows.definition_level_histogram(), "{name}");
        assert_eq!(ours.repetition_level_histogram(), arrows.repetition_level_histogram(), "{name}");
        let filters = [filter(&told, column, &found), filter(&expected_told, column, &expected)];
        assert_eq!(filters[0], filters[1], "{name}");
        // arrow counts rows of lists for the size of a page, and takes one for null that has as many nulls as rows;
        // whether a dictionary is full it asks after some rows more
        if name.starts_with("list.") || small == Small::Both {
            continue;
        }
        assert_eq!(ours.page_encoding_stats(), arrows.page_encoding_stats(), "{name}");
        let index = |told: &ParquetMetaData| told.column_index().unwrap()[0][column].clone();
        assert_eq!(index(&told), index(&expected_told), "{name}");
        let firsts = |told: &ParquetMetaData| -> Vec<i64> {
            let pages = told.offset_index().unwrap()[0][column].page_locations();
            pages.iter().map(|page| page.first_row_index).collect()
        };
        assert_eq!(firsts(&told), firsts(&expected_told), "{name}");
    }
}

proptest! {
    #[test]
    fn a_reader_sees_what_arrow_writes(
        batches in prop::collection::vec(prop::collection::vec(row(), 1..80), 1..4),
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..9usize), 2..60),
        small in prop::sample::select(vec![Small::Nothing, Small::Pages, Small::Both]),
    ) {
        let batches: Vec<RecordBatch> = batches.iter().map(|rows| batch(rows)).collect();
        let places = picks.iter().flat_map(|(place, row, count)| {
            let place = place.index(batches.len());
            let row = row.index(batches[place].num_rows());
            (row..batches[place].num_rows().min(row + count)).map(move |row| (place, row))
        });
        check(&batches, &places.collect::<Vec<_>>(), small);
    }

    #[test]
    fn numbers_are_packed_as_a_reader_unpacks_them(
        runs in prop::collection::vec((0..1u32 << 20, 1..70usize), 0..40),
        most in prop::sample::select(vec![0, 1, 2, 5, 255, 256, 70_000, (1 << 20) - 1]),
    ) {
        let numbers: Vec<u32> =
            runs.iter().flat_map(|&(number, count)| std::iter::repeat_n(number.min(most), count)).collect();
        let mut packed = Vec::new();
        hybrid(&numbers, bits(most as usize), &mut packed);
        prop_assert_eq!(unpacked(&packed, bits(most as usize), numbers.len()), numbers);
    }

    #[test]
    fn steps_are_packed_as_a_reader_unpacks_them(
        numbers in prop::collection::vec(prop_oneof![Just(36), 0..200, 0..i32::MAX / 2], 0..400),
    ) {
        let mut packed = Vec::new();
        deltas(&numbers, &mut packed);
        prop_assert_eq!(added_up(&packed), numbers);
    }
}

/// The numbers of blocks of steps, as the format says it (see [`unpacked`]).
fn added_up(mut bytes: &[u8]) -> Vec<i32> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let (own, rest) = bytes.split_at(length);
        *bytes = rest;
        own.iter().enumerate().map(|(at, byte)| u64::from(byte & 0x7f) << (7 * at)).sum()
    }
    let zigzag = |bytes: &mut &[u8]| {
        let number = varint(bytes) as i64;
        number >> 1 ^ -(number & 1)
    };
    let [block, parts, count] = [(); 3].map(|()| varint(&mut bytes) as usize);
    assert_eq!((block % 128, block / parts % 32), (0, 0), "a part is of whole groups of 32");
    let mut numbers = vec![zigzag(&mut bytes)];
    while numbers.len() < count {
        let least = zigzag(&mut bytes);
        let (widths, rest) = bytes.split_at(parts);
        bytes = rest;
        for &width in widths {
            // what is behind the last number has no bits
            if numbers.len() >= count {
                break;
            }
            let (part, rest) = bytes.split_at(block / parts * usize::from(width) / 8);
            bytes = rest;
            for at in 0..block / parts {
                let bits = (0..usize::from(width)).map(|bit| (bit, at * usize::from(width) + bit));
                let step: i64 = bits.map(|(bit, at)| i64::from(part[at / 8] >> (at % 8) & 1) << bit).sum();
                numbers.push(numbers.last().unwrap() + least + step);
            }
        }
    }
    assert!(bytes.is_empty());
    numbers.truncate(count);
    numbers.into_iter().map(|number| number as i32).collect()
}

/// As the format says it: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.
fn unpacked(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    let number = |bits: &mut dyn Iterator<Item = bool>| bits.enumerate().map(|(at, bit)| u32::from(bit) << at).sum();
    while numbers.len() < count {
        let mut header = 0u64;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            bytes = &bytes[1..];
            header |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let length =
            (if header & 1 == 1 { (header >> 1) * u64::from(width) } else { u64::from(width.div_ceil(8)) }) as usize;
        let mut bits = bytes[..length].iter().flat_map(|byte| (0..8).map(move |at| byte >> at & 1 == 1));
        if header & 1 == 1 {
            for _ in 0..(header >> 1) * 8 {
                numbers.push(number(&mut bits.by_ref().take(width as usize)));
            }
        } else {
            let repeated = number(&mut bits);
            numbers.extend(std::iter::repeat_n(repeated, (header >> 1) as usize));
        }
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty());
    numbers.truncate(count);
    numbers
}

#[test]
fn texts_that_are_too_many_for_a_dictionary_stand_as_they_are() {
    let rows: Vec<Row> = (0..30_000)
        .map(|row| {
            let text = Some(format!("a text of some length that no other row has: {row:0>20}"));
            let texts = std::array::from_fn(|column| text.clone().filter(|_| (row + column) % 5 > 0));
            ([row % 3 > 0, row % 7 > 0], texts, Some(vec![Some([text, None]); row % 3]))
        })
        .collect();
    let batches: Vec<RecordBatch> = rows.chunks(10_000).map(batch).collect();
    let places: Vec<Place> = (0..10_000).flat_map(|row| (0..3).map(move |batch| (batch, row))).collect();
    let (schema, properties) = (schema(), properties(Small::Nothing));
    let found = ours(&schema, &properties, &[(batches.clone(), places.clone())]);
    let borrowed: Vec<&RecordBatch> = batches.iter().collect();
    let expected = arrows(&schema, &properties, &interleave_record_batch(&borrowed, &places).unwrap());
    assert_eq!(super::tests::rows(&schema, &found), super::tests::rows(&schema, &expected));
    let told = metadata(&found);
    let text = told.row_group(0).column(1);
    assert!(text.dictionary_page_offset().is_some() && text.uncompressed_size() > 1 << 20);
    assert_eq!(text.statistics(), metadata(&expected).row_group(0).column(1).statistics());
    // 24,000 of 65 bytes in 256 KiB each
    assert_eq!(told.offset_index().unwrap()[0][2].page_locations().len(), 6);
}
