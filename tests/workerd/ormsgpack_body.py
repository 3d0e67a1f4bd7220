"""The vendored ormsgpack inside workerd against the bytes of the native one."""

import ormsgpack
from golden_bytes import BYTES
from golden_values import CLASSES, VALUES
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

SERDE = JsonPlusSerializer(allowed_msgpack_modules=CLASSES)


async def test_the_worker_runs_on_the_vendored_module(database):
    assert ormsgpack.__version__ == "1.13.1+superstep"


async def test_values_have_the_bytes_of_the_native_module(database):
    assert {name: SERDE.dumps_typed(value)[1].hex() for name, value in VALUES.items()} == BYTES


async def test_bytes_of_the_native_module_load_as_the_values(database):
    assert {name: SERDE.loads_typed(("msgpack", bytes.fromhex(data))) for name, data in BYTES.items()} == VALUES


async def test_a_lone_surrogate_is_written_as_a_question_mark(database):
    assert SERDE.loads_typed(SERDE.dumps_typed(["\ud800x"])) == ["?x"]


async def test_what_cannot_be_encoded_is_refused_by_name(database):
    refusal = None
    try:
        SERDE.dumps_typed([object()])
    except ormsgpack.MsgpackEncodeError as error:
        refusal = str(error)
    assert refusal == "Type is not msgpack serializable: object"
