"""A gateway with a fake engine."""

from tests.unit.control.fake_engine import install_native_stand_in

install_native_stand_in()
