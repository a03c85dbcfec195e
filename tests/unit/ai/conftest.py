"""Models are tested without the native module where it is not built."""

from tests.unit.control.fake_engine import install_native_stand_in

install_native_stand_in()
