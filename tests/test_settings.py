"""What a setting's value can be, where it may come from, and what is said of a wrong one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo import kinds
from chartrepo.configuration import Configuration, SettingsError, check_serving, load
from chartrepo.kinds import Bucket, Folder
from chartrepo.settings import TABLE, Setting, Settings

FILE = "/etc/chartrepo.yaml"


def configured(
    *,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    yaml: str | None = None,
    files: Mapping[str, str] | None = None,
) -> Configuration:
    """Load from these sources; `yaml` is the text of the configuration file, `files` what else can be read."""
    texts = {**(files or {}), **({FILE: yaml} if yaml is not None else {})}

    def read_text(path: Path) -> str:
        if str(path) not in texts:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return texts[str(path)]

    return load(env or {}, {**({"config": FILE} if yaml is not None else {}), **(flags or {})}, read_text)


def settings(**given: str) -> Settings:
    return configured(flags=given).settings


def refusal(**sources: object) -> str:
    """What is said of settings that a server cannot have."""
    with pytest.raises(SettingsError) as caught:
        check_serving(configured(**sources))  # type: ignore[arg-type] # the sources differ in type
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestPrecedence:
    def test_nothing_needs_to_be_set(self) -> None:
        assert (settings().host, settings().port, settings().storage) == ("127.0.0.1", 8080, Folder(Path("data")))

    def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(self) -> None:
        yaml, env, flags = (
            "port: 1\nworkers: 1\nthreads: 1",
            {"CHARTREPO_PORT": "2", "CHARTREPO_WORKERS": "2"},
            {"port": "3"},
        )
        found = configured(yaml=yaml, env=env, flags=flags)
        assert (found.settings.port, found.settings.workers, found.settings.threads) == (3, 2, 1)
        assert found.sources["port"] == "--port"
        assert found.sources["workers"] == "CHARTREPO_WORKERS"
        assert found.sources["threads"] == "/etc/chartrepo.yaml, line 3"
        assert found.sources["host"] == "default"

    def test_the_file_may_be_named_by_the_environment(self) -> None:
        found = configured(env={"CHARTREPO_CONFIG": "/a.yaml"}, files={"/a.yaml": "port: 81"})
        assert found.settings.port == 81

    def test_the_flag_for_the_file_beats_the_variable(self) -> None:
        found = configured(yaml="port: 81", env={"CHARTREPO_CONFIG": "/not/there.yaml"})
        assert found.settings.port == 81

    def test_an_empty_variable_counts_as_not_set(self) -> None:
        assert configured(yaml="port: 81", env={"CHARTREPO_PORT": ""}).settings.port == 81

    def test_an_empty_flag_is_a_value(self) -> None:
        assert configured(yaml="context_path: /charts", flags={"context_path": ""}).settings.context_path == ""

    def test_other_programs_variables_are_left_alone(self) -> None:
        assert configured(env={"PORT": "x", "PATH": "/bin", "NOT_CHARTREPO_PORT": "x"}).settings.port == 8080

    @pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
    def test_every_setting_has_a_variable_and_a_line_in_the_file(self, setting: Setting) -> None:
        value = _value_unlike_the_default(setting)
        together = {"basic_auth_user": "basic_auth_password", "basic_auth_password": "basic_auth_user"}
        other = {together[setting.name]: "x"} if setting.name in together else {}
        if setting.name == "s3_sse_kms_key":
            other = {"s3_sse": "aws:kms"}
        by_variable = configured(
            env={setting.variable: value, **{f"CHARTREPO_{name.upper()}": each for name, each in other.items()}}
        )
        by_file = configured(
            yaml="".join(f"{name}: '{each}'\n" for name, each in {setting.name: value, **other}.items())
        )
        assert getattr(by_variable.settings, setting.name) == getattr(by_file.settings, setting.name)
        assert getattr(by_file.settings, setting.name) != getattr(settings(), setting.name)


def _value_unlike_the_default(setting: Setting) -> str:
    """Some value of the setting's kind that is not the default and contradicts no other."""
    candidates = (
        *setting.kind.choices,
        "true",
        "false",
        "5",
        "7",
        "2h",
        "2d",
        "/elsewhere",
        "sqlite:////elsewhere",
        "http://elsewhere",
        "10.0.0.0/8",
    )
    for text in candidates:
        try:
            value = setting.kind.parse(text)
        except ValueError:
            continue
        if value is not None and value != getattr(settings(), setting.name):
            return text
    raise AssertionError(f"no value for {setting.name}")


class TestDerivedDefaults:
    def test_state_lies_below_a_folder_of_packages(self) -> None:
        assert settings(storage="/srv/charts").state_dir == Path("/srv/charts/.chartrepo")

    def test_state_of_a_bucket_lies_in_the_default_folder(self) -> None:
        assert settings(storage="s3://charts/prod").state_dir == Path("data/.chartrepo")

    def test_the_catalog_lies_in_the_folder_for_state(self) -> None:
        assert settings(state_dir="/var/lib/x").catalog == "sqlite:////var/lib/x/catalog.sqlite"

    def test_the_second_listener_has_the_first_ones_address(self) -> None:
        assert settings(host="0.0.0.0").admin_host == "0.0.0.0"
        assert settings(host="0.0.0.0", admin_host="::1").admin_host == "::1"


class TestUnknownNames:
    def test_in_the_environment_are_refused_with_the_nearest_one(self) -> None:
        message = refusal(env={"CHARTREPO_MAX_UPLOAD_SIZES": "1"})
        assert message == "CHARTREPO_MAX_UPLOAD_SIZES is not a setting: did you mean CHARTREPO_MAX_UPLOAD_SIZE?"

    def test_in_the_file_are_refused_with_their_line(self) -> None:
        message = refusal(yaml="port: 1\n\nstorge: ./x\n")
        assert message == "/etc/chartrepo.yaml, line 3: 'storge' is not a setting: did you mean storage?"

    @pytest.mark.parametrize("name", ["open-writes", "OPEN_WRITES", "CHARTREPO_OPEN_WRITES"])
    def test_written_in_another_manner_are_recognised(self, name: str) -> None:
        assert refusal(yaml=f"{name}: true").endswith("did you mean open_writes?")

    def test_a_variable_in_small_letters_is_not_the_setting(self) -> None:
        assert refusal(env={"CHARTREPO_port": "1"}) == "CHARTREPO_port is not a setting: did you mean CHARTREPO_PORT?"

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("STORAGE_LOCAL_ROOTDIR", "STORAGE"),
            ("STORAGE_AMAZON_BUCKET", "STORAGE"),
            ("STORAGE_AMAZON_ENDPOINT", "S3_ENDPOINT"),
            ("BASIC_AUTH_PASS", "BASIC_AUTH_PASSWORD"),
            ("DISABLE_FORCE_OVERWRITE", "ALLOW_OVERWRITE"),
            ("LOG_JSON", "LOG_FORMAT"),
        ],
    )
    def test_that_chartmuseum_has_are_answered_with_ours(self, theirs: str, ours: str) -> None:
        assert refusal(env={f"CHARTREPO_{theirs}": "x"}).endswith(f"did you mean CHARTREPO_{ours}?")

    def test_that_are_like_no_other_are_answered_with_where_to_look(self) -> None:
        assert refusal(env={"CHARTREPO_QQQQ": "x"}).endswith("'chartrepo config' lists all")

    def test_the_file_cannot_name_another_file(self) -> None:
        assert "'config' is not a setting" in refusal(yaml="config: other.yaml")

    def test_only_secrets_have_a_file_of_their_own(self) -> None:
        assert refusal(env={"CHARTREPO_PORT_FILE": "/x"}).startswith("CHARTREPO_PORT_FILE is not a setting")


class TestWrongValues:
    def test_name_source_value_and_what_is_expected(self) -> None:
        assert refusal(env={"CHARTREPO_PORT": "http"}) == "CHARTREPO_PORT: 'http' is not a whole number from 0 to 65535"
        assert refusal(flags={"port": "-1"}) == "--port: '-1' is not a whole number from 0 to 65535"
        assert (
            refusal(yaml="\nport: 70000")
            == "/etc/chartrepo.yaml, line 2: port: '70000' is not a whole number from 0 to 65535"
        )

    def test_are_refused_also_where_a_better_source_overrules_them(self) -> None:
        message = refusal(yaml="workers: 2\nport: 99999\n", flags={"port": "20001"})
        assert message.startswith(f"{FILE}, line 2: port: '99999' is not ")
        assert refusal(yaml="port: 99999", env={"CHARTREPO_PORT": "20001"}).startswith(f"{FILE}, line 1: port: ")
        assert refusal(env={"CHARTREPO_PORT": "99999"}, flags={"port": "20001"}).startswith("CHARTREPO_PORT: ")

    def test_of_a_secret_are_not_shown(self) -> None:
        message = refusal(env={"CHARTREPO_CATALOG": "mysql://root:hunter2@db/x"})
        assert message.startswith("CHARTREPO_CATALOG: the value is not sqlite:///FILE")

    def test_are_shown_escaped_and_bounded(self) -> None:
        message = refusal(flags={"index_format": "json\n" + "x" * 5000})
        assert "json\\nxxx" in message
        assert len(message) < 200

    @pytest.mark.parametrize("name", ["storage", "basic_auth_user", "context_path", "chart_url", "state_dir"])
    @pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x7fb", "a\udc80b"])
    def test_control_characters_and_broken_text_fit_nowhere(self, name: str, text: str) -> None:
        assert refusal(flags={name: text}).endswith("holds a control character, or is not UTF-8")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("port", "65536"),
            ("port", "8_0"),
            ("port", "٨٠"),
            ("workers", "0"),
            ("max_upload_size", "0"),
            ("max_upload_size", "-1"),
            ("max_upload_size", "20 mebi"),
            ("sync_interval", "1 minute"),
            ("sync_interval", "-5s"),
            ("s3_read_timeout", "0"),
            ("open_writes", "maybe"),
            ("host", "under standing"),
            ("host", "1:2"),
            ("host", ""),
            ("storage", ""),
            ("storage", "gs://bucket"),
            ("storage", "s3://"),
            ("storage", "s3://bucket/a//b"),
            ("storage", "s3://bucket/../b"),
            ("context_path", "/a/../b"),
            ("context_path", "/a b"),
            ("context_path", "/a//b"),
            ("chart_url", "ftp://example.com"),
            ("chart_url", "charts.example.com"),
            ("chart_url", "https://user:pw@example.com"),
            ("chart_url", "https://example.com/?a=1"),
            ("chart_url", "https://example.com:port/"),
            ("catalog", "sqlite://"),
            ("catalog", "data.sqlite"),
            ("basic_auth_user", "a:b"),
            ("server", "uvicorn"),
            ("cors_allow_origin", "portal.example.com"),
            ("cors_allow_origin", "https://portal.example.com/page"),
            ("cors_allow_origin", "https://Portal.example.com"),
            ("cors_allow_origin", "*.example.com"),
        ],
    )
    def test_are_refused(self, name: str, text: str) -> None:
        assert f"--{name.replace('_', '-')}: " in refusal(flags={name: text})


class TestKinds:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("open_writes", "yes", True),
            ("open_writes", "TRUE", True),
            ("access_log", "0", False),
            ("admin_port", "off", None),
            ("admin_port", "9090", 9090),
            ("host", "[::1]", "::1"),
            ("host", "charts.internal", "charts.internal"),
            ("sync_interval", "5m", 300.0),
            ("sync_interval", "1.5h", 5400.0),
            ("sync_interval", "90", 90.0),
            ("sync_interval", "0", 0.0),
            ("s3_connect_timeout", "250ms", 0.25),
            ("max_upload_size", "1GiB", 2**30),
            ("max_upload_size", "20 mb", 20_000_000),
            ("max_upload_size", "512", 512),
            ("storage", "s3://charts", Bucket("charts", "")),
            ("storage", "s3://charts/team/prod/", Bucket("charts", "team/prod")),
            ("storage", "../charts", Folder(Path("../charts"))),
            ("context_path", "charts/", "/charts"),
            ("context_path", "/", ""),
            ("context_path", "/a/b", "/a/b"),
            ("chart_url", "https://charts.example.com/", "https://charts.example.com"),
            ("index_format", "JSON", "json"),
            ("s3_sse", "off", None),
            ("cors_allow_origin", "", ()),
            ("cors_allow_origin", "*", ("*",)),
            (
                "cors_allow_origin",
                "https://a.example, http://b.example:81",
                ("https://a.example", "http://b.example:81"),
            ),
        ],
    )
    def test_read_what_people_write(self, name: str, text: str, value: object) -> None:
        assert getattr(settings(**{name: text, **({"port": "1"} if name == "admin_port" else {})}), name) == value

    @given(st.floats(min_value=0, max_value=7 * 86400).map(lambda seconds: round(seconds, 3)))
    def test_a_duration_shown_is_read_back(self, seconds: float) -> None:
        kind = kinds.duration(0, 7 * 86400)
        assert kind.parse(kind.show(seconds)) == pytest.approx(seconds, rel=1e-4)

    @given(st.integers(min_value=1, max_value=2**39))
    def test_a_size_shown_is_read_back(self, size: int) -> None:
        assert kinds.SIZE.parse(kinds.SIZE.show(size)) == size

    @pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
    def test_every_default_shown_is_read_back(self, setting: Setting) -> None:
        default = getattr(settings(), setting.name)
        assert setting.kind.parse(setting.kind.show(default)) == default

    @pytest.mark.parametrize(
        ("host", "loopback"),
        [
            ("127.0.0.1", True),
            ("127.8.9.1", True),
            ("::1", True),
            ("localhost", True),
            ("0.0.0.0", False),
            ("::", False),
            ("10.0.0.1", False),
            ("localhost.example.com", False),
        ],
    )
    def test_loopback_is_what_no_other_machine_reaches(self, host: str, *, loopback: bool) -> None:
        assert kinds.is_loopback(host) is loopback


class TestSecrets:
    def test_are_read_from_a_file_that_the_environment_names(self) -> None:
        env = {"CHARTREPO_BASIC_AUTH_USER": "ci", "CHARTREPO_BASIC_AUTH_PASSWORD_FILE": "/run/secrets/p"}
        found = configured(env=env, files={"/run/secrets/p": "s3cr3t\n"})
        assert found.settings.basic_auth_password == "s3cr3t"
        assert found.sources["basic_auth_password"] == "CHARTREPO_BASIC_AUTH_PASSWORD_FILE (/run/secrets/p)"

    def test_are_read_from_a_file_that_the_configuration_names(self) -> None:
        yaml = "basic_auth_user: ci\nbasic_auth_password_file: /run/secrets/p\n"
        assert configured(yaml=yaml, files={"/run/secrets/p": "a b\r\n"}).settings.basic_auth_password == "a b"

    def test_keep_all_but_one_line_end(self) -> None:
        env = {"CHARTREPO_BASIC_AUTH_USER": "ci", "CHARTREPO_BASIC_AUTH_PASSWORD_FILE": "/p"}
        assert configured(env=env, files={"/p": " x \n"}).settings.basic_auth_password == " x "
        assert "control character" in refusal(env=env, files={"/p": "x\n\n"})

    def test_given_twice_in_one_place_are_refused(self) -> None:
        env = {"CHARTREPO_BASIC_AUTH_PASSWORD": "a", "CHARTREPO_BASIC_AUTH_PASSWORD_FILE": "/p"}
        message = refusal(env=env, files={"/p": "b"})
        assert "is also given by CHARTREPO_BASIC_AUTH_PASSWORD: keep one of them" in message

    def test_in_the_environment_beat_a_file_that_the_configuration_names(self) -> None:
        yaml = "basic_auth_user: ci\nbasic_auth_password_file: /p\n"
        found = configured(yaml=yaml, env={"CHARTREPO_BASIC_AUTH_PASSWORD": "env"}, files={"/p": "file"})
        assert found.settings.basic_auth_password == "env"

    def test_a_file_that_is_missing_or_empty_is_named(self) -> None:
        env = {"CHARTREPO_BASIC_AUTH_PASSWORD_FILE": "/p"}
        assert refusal(env=env).startswith("CHARTREPO_BASIC_AUTH_PASSWORD_FILE: cannot read '/p': No such file")
        assert refusal(env=env, files={"/p": "\n"}) == "CHARTREPO_BASIC_AUTH_PASSWORD_FILE: '/p' is empty"

    def test_show_neither_in_repr_nor_in_what_may_be_shown(self) -> None:
        env = {
            "CHARTREPO_BASIC_AUTH_USER": "ci",
            "CHARTREPO_BASIC_AUTH_PASSWORD": "hunter2",
            "CHARTREPO_CATALOG": "postgresql://me:hunter2@db/x?sslpassword=hunter2",
        }
        found = configured(env=env)
        assert "hunter2" not in repr(found)
        shown = {name: value for name, value, _ in found.shown()}
        assert shown["basic_auth_password"] == "***"
        assert shown["catalog"] == "postgresql://me:***@db/x?sslpassword=***"

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://me:hunter2@db/x",
            "postgresql://me:hun@hunter2@db/x",
            "postgresql://me:a/hunter2@db/x",
            "postgresql://me:a?hunter2@db/x",
            "postgresql://:hunter2@db/x",
            "postgresql://db/x?user=a&password=hunter2",
        ],
    )
    def test_no_part_of_a_database_password_is_shown(self, url: str) -> None:
        assert "hunter2" not in kinds.CATALOG.hide(kinds.CATALOG.parse(url))

    def test_a_password_is_the_text_as_it_is_written(self) -> None:
        for text in ("0123", "yes", "1e3", "null ish", "~x"):
            yaml = f"basic_auth_user: ci\nbasic_auth_password: {text}\n"
            assert configured(yaml=yaml).settings.basic_auth_password == text


class TestTheFile:
    def test_may_be_empty_or_all_comments(self) -> None:
        assert configured(yaml="").settings == configured(yaml="# nothing\n").settings == settings()

    def test_a_value_of_null_leaves_the_default(self) -> None:
        found = configured(yaml="port:\nhost: null\n")
        assert (found.settings.port, found.sources["host"]) == (8080, "default")

    @pytest.mark.parametrize(
        ("yaml", "message"),
        [
            ("port: [", "line 1: this is not YAML"),
            ("a: b: c", "line 1: this is not YAML"),
            ("\tport: 1", "line 1: this is not YAML"),
            ("port: 1\x07", "this is not YAML"),
            ("[" * 100_000, "this is not YAML"),
            ("port: 1\n---\nport: 2", "this is not YAML"),
            ("- port", "expected one setting a line"),
            ("just text", "expected one setting a line"),
            ("port: [1]", "'port' must have a single value"),
            ("port: {a: 1}", "'port' must have a single value"),
            ("? [a]\n: 1", "expected the name of a setting"),
            ("port: 1\nport: 2", "line 2: 'port' was set already in line 1"),
        ],
    )
    def test_that_is_something_else_is_refused_in_one_line(self, yaml: str, message: str) -> None:
        text = refusal(yaml=yaml)
        assert text.startswith(FILE)
        assert message in text

    def test_cannot_make_python_objects(self) -> None:
        message = refusal(yaml="port: !!python/object/apply:os.getpid []")
        assert "'port' must have a single value" in message

    def test_that_is_missing_is_named_with_who_asked_for_it(self) -> None:
        message = refusal(env={"CHARTREPO_CONFIG": "/not/there.yaml"})
        assert message == "CHARTREPO_CONFIG: cannot read '/not/there.yaml': No such file or directory"

    def test_that_is_not_text_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "c.yaml"
        file.write_bytes(b"port: \xff\n")
        with pytest.raises(SettingsError, match="is not UTF-8 text"):
            load({}, {"config": str(file)}, lambda path: path.read_text(encoding="utf-8"))


class TestKubernetes:
    LINKS: Final = {
        "CHARTREPO_PORT": "tcp://10.0.0.7:8080",
        "CHARTREPO_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "CHARTREPO_PORT_8080_TCP_ADDR": "10.0.0.7",
        "CHARTREPO_PORT_8080_TCP_PORT": "8080",
        "CHARTREPO_PORT_8080_TCP_PROTO": "tcp",
        "CHARTREPO_SERVICE_HOST": "10.0.0.7",
        "CHARTREPO_SERVICE_PORT": "8080",
        "CHARTREPO_SERVICE_PORT_HTTP": "8080",
        "CHARTREPO_ADMIN_PORT": "tcp://10.0.0.8:9090",
        "CHARTREPO_ADMIN_SERVICE_HOST": "10.0.0.8",
    }

    def test_variables_made_for_a_service_of_our_name_are_passed_over(self) -> None:
        found = configured(env={**self.LINKS, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}).settings
        assert (found.port, found.admin_port) == (8080, None)

    def test_a_port_of_our_own_counts_there_too(self) -> None:
        env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "CHARTREPO_PORT": "9000"}
        assert configured(env=env).settings.port == 9000

    def test_elsewhere_they_are_as_wrong_as_any(self) -> None:
        assert refusal(env={"CHARTREPO_PORT": "tcp://10.0.0.7:8080"}).startswith("CHARTREPO_PORT: 'tcp:")


class TestContradictions:
    def test_a_user_needs_a_password_and_a_password_a_user(self) -> None:
        assert "set without basic_auth_password" in refusal(flags={"basic_auth_user": "ci"})
        assert "set without basic_auth_user" in refusal(flags={"basic_auth_password": "x"})

    @pytest.mark.parametrize(
        "flags",
        [
            {"basic_auth_user": "ci"},
            {"basic_auth_password": "x"},
            {"open_writes": "true", "host": "0.0.0.0"},
            {"port": "80", "admin_port": "80"},
        ],
    )
    def test_of_what_only_a_server_does_stop_nothing_else(self, flags: dict[str, str]) -> None:
        assert configured(flags=flags).settings

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "charts.internal"])
    def test_open_writes_need_a_loopback_host(self, host: str) -> None:
        message = refusal(flags={"open_writes": "true"}, env={"CHARTREPO_HOST": host})
        assert f"host is '{host}' (CHARTREPO_HOST)" in message
        assert "set basic_auth_user and basic_auth_password instead" in message

    def test_open_writes_and_a_credential_exclude_each_other(self) -> None:
        flags = {"open_writes": "true", "basic_auth_user": "ci", "basic_auth_password": "x"}
        assert "open_writes would let everybody past" in refusal(flags=flags)

    def test_bearer_tokens_need_a_key_and_no_open_writes(self) -> None:
        assert "bearer_auth is set without auth_cert_path" in refusal(flags={"bearer_auth": "true"})
        flags = {"bearer_auth": "true", "auth_cert_path": "key.pem"}
        assert settings(**flags).bearer_auth
        assert "open_writes would let everybody past bearer_auth" in refusal(flags={**flags, "open_writes": "true"})

    @pytest.mark.parametrize("text", ['https://a"', "https://a\\", "https://a b", "https://ä"])
    def test_what_a_challenge_could_not_hold_is_no_realm(self, text: str) -> None:
        assert "auth_realm" in refusal(flags={"auth_realm": text}).replace("-", "_")

    def test_two_listeners_need_two_ports(self) -> None:
        assert refusal(flags={"port": "80", "admin_port": "80"}) == "port and admin_port are both 80: choose two"
        assert settings(port="0", admin_port="0").admin_port == 0

    def test_a_kms_key_needs_encryption_by_kms(self) -> None:
        assert "scheme and host alone" in refusal(flags={"external_url": "https://charts.example.com/charts"})
        assert "needs s3_sse: aws:kms" in refusal(flags={"s3_sse": "AES256", "s3_sse_kms_key": "k"})
