#!/usr/bin/env python3
"""A house that has outgrown its door, as a Kamailio: make kamailio FROM="door" TO=folder

    export_kamailio.py --to kamailio --listen 192.0.2.10 door1/ door2/ /dev/ttyUSB0

Each source is a door's flash: a folder with its config.json and phones.txt, or the serial port of a board, which then
starts anew. Out of them comes a folder with kamailio.cfg, its data/, and doors.txt, which says what to type at each door.
Phones and doors register and call there as they did at the door: the same numbers, passwords (as HA1 for the same
house.realm), and the number that rings all; what changes is the address of the server.

Several doors become one server: a phone that two doors know is one phone, and doors with the same house.all ring all
their phones by it.
"""

import argparse
import binascii
import hashlib
import json
import os
import re
import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import boards  # noqa: E402
from tools.boards import BoardError  # noqa: E402

CONFIG = "config.json"
PHONES = "phones.txt"
DOORS = "doors.txt"
_SCHEMA = Path(__file__).resolve().parent.parent / "firmware/door/schema.py"
_MOST = 30  # what Kamailio rings at once at the most (max_branches)
_HEX = "0123456789abcdef"

_KAMAILIO = r"""#!KAMAILIO
# The servers of a house, as its doors were: registrar, location service and proxy (RFC 3261 10 and 16) of the phones in
# data/. Written by tools/export_kamailio.py. Needs the package kamailio alone, 5.6 or later. Try it here:
#
#     kamailio -DD -E -f @FOLDER@/kamailio.cfg
#
# Another phone: export again, then   kamcmd htable.reload ha1; kamcmd htable.reload groups; kamcmd htable.reload names

# Where data/ is; this line is to be changed when the folder moves.
#!define DATA "text://@FOLDER@/data"

# Kamailio asks for one algorithm at a time. The phones' passwords are here for both: where every phone knows SHA-256,
# take away the first of the two #.
@SHA256@#!define SHA256

debug=2
log_prefix="{$mt $ci} "
children=4
tcp_children=4
tcp_connection_lifetime=3605
auto_aliases=no
server_signature=no
max_branches=@MOST@
max_while_loops=1000
@LISTEN@

loadmodule "jsonrpcs.so"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "ctl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "sanity.so"
loadmodule "db_text.so"
loadmodule "htable.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "path.so"

modparam("jsonrpcs", "transport", 4)
modparam("tm", "fr_timer", 8000)
modparam("tm", "fr_inv_timer", 185000)
modparam("rr", "append_fromtag", 1)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "timer_interval", 10)
modparam("registrar", "min_expires", 60)
modparam("registrar", "min_expires_mode", 1)
modparam("registrar", "default_expires", 300)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "append_branches", 1)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
modparam("auth", "nonce_expire", 300)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("db_text", "db_mode", 1)
modparam("htable", "db_url", DATA)
# Group number -> its phones, with commas between; user of a door -> its group; name of a phone -> its number; address -> wrong
# passwords in the last five minutes.
modparam("htable", "htable", "groups=>size=6;dbtable=groups;")
modparam("htable", "htable", "doors=>size=6;dbtable=doors;")
modparam("htable", "htable", "names=>size=6;dbtable=names;")
modparam("htable", "htable", "wrong=>size=8;autoexpire=300;initval=0;")
#!ifdef SHA256
modparam("auth", "algorithm", "SHA-256")
modparam("htable", "htable", "ha1=>size=10;dbtable=ha1_sha256;")
#!else
modparam("auth", "algorithm", "MD5")
modparam("htable", "htable", "ha1=>size=10;dbtable=ha1_md5;")
#!endif

request_route {
	if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (!sanity_check()) exit;
	force_rport();
	if (is_method("CANCEL")) { if (t_check_trans()) route(ON); exit; }
	if (!is_method("ACK")) { if (t_precheck_trans()) { t_check_trans(); exit; } t_check_trans(); }
	if (is_method("INVITE|SUBSCRIBE|UPDATE")) route(REACHED);
	if (has_totag()) {
		if (loose_route()) {
			if ($du == $null) handle_ruri_alias();
			route(ON);
		}
		if (is_method("ACK")) { if (t_check_trans()) route(ON); exit; }
		sl_send_reply("404", "Not by this server");
		exit;
	}
	remove_hf("Route");
	if (is_method("ACK")) exit;
	if (is_method("OPTIONS") && $rU == $null) { sl_send_reply("200", "OK"); exit; }
	if ($sht(wrong=>$si) >= 20) { sl_send_reply("503", "Too many wrong passwords"); exit; }
	if (is_method("REGISTER")) route(REGISTERS);
	route(CALLS);
}

# Who registers, and whose number it is. The HA1 is that of the number in To, so that nobody can bind another's.
route[REGISTERS] {
	$var(ok) = -5;
	if ($sht(ha1=>$tU) == $null || !pv_www_authenticate("@REALM@", "$sht(ha1=>$tU)", "1")) {
		if ($sht(ha1=>$tU) != $null) $var(ok) = $rc;
		route(WRONG);
		if ($var(ok) == -4 || $var(ok) == -6) www_challenge("@REALM@", "17");
		else www_challenge("@REALM@", "1");
		exit;
	}
	if ($au != $tU) { sl_send_reply("403", "Not your number"); exit; }
	consume_credentials();
	# Whom a connection or a NAT serves is called by it.
	if ($proto != "udp" || nat_uac_test("18")) fix_nated_register();
	if (!save("location")) sl_reply_error();
	exit;
}

# Whoever calls shows the password of the number in From.
route[CALLS] {
	$var(ok) = -5;
	if ($sht(ha1=>$fU) == $null || !pv_proxy_authenticate("@REALM@", "$sht(ha1=>$fU)", "1")) {
		if ($sht(ha1=>$fU) != $null) $var(ok) = $rc;
		route(WRONG);
		if ($var(ok) == -4 || $var(ok) == -6) proxy_challenge("@REALM@", "17");
		else proxy_challenge("@REALM@", "1");
		exit;
	}
	if ($au != $fU) { sl_send_reply("403", "Not your number"); exit; }
	consume_credentials();
	if (is_method("INVITE|SUBSCRIBE|REFER")) record_route();
	if ($rU == $null) { sl_send_reply("484", "Address Incomplete"); exit; }
	# A phone's name, whatever the capitals, is its number.
	$var(name) = $(rU{s.unescape.user}{s.tolower});
	if ($sht(names=>$var(name)) != $null) $rU = $sht(names=>$var(name));
	if ($sht(groups=>$rU) != $null) {
		$var(phones) = $sht(groups=>$rU);
		route(SEVERAL);
	}
	if ($rU =~ "," && $sht(doors=>$fU) != $null) {
		# What a door's button calls: 101,102
		$var(phones) = $rU;
		route(SEVERAL);
	}
	if ($sht(ha1=>$rU) == $null) { sl_send_reply("404", "No such number in this house"); exit; }
	if (!lookup("location")) { sl_send_reply("480", "No phone of that number is registered"); exit; }
	route(ON);
}

# All phones of $var(phones) at once, but for the caller's own.
route[SEVERAL] {
	$var(n) = 0;
	$var(found) = 0;
	$var(phone) = $(var(phones){s.select,$var(n),,});
	while ($var(phone) != "") {
		$var(uri) = "sip:" + $var(phone) + "@@REALM@";
		if ($var(phone) != $fU && registered("location", "$var(uri)")) {
			if ($var(found) == 0) {
				$ru = $var(uri);
				if (lookup("location")) $var(found) = 1;
			} else lookup_to_dset("location", "$var(uri)");
		}
		$var(n) = $var(n) + 1;
		$var(phone) = $(var(phones){s.select,$var(n),,});
	}
	if ($var(found) == 0) { sl_send_reply("480", "No phone of that number is registered"); exit; }
	route(ON);
}

route[WRONG] {
	if ($var(ok) != -2) return;
	$sht(wrong=>$si) = $sht(wrong=>$si) + 1;
	xlog("L_NOTICE", "a wrong password for $fU from $si\n");
}

# A phone behind a connection or a NAT is reached by it in its calls, too.
route[REACHED] {
	if ($proto != "udp" || nat_uac_test("18")) add_contact_alias();
}

route[ON] {
	if (!t_relay()) sl_reply_error();
	exit;
}

onreply_route {
	if (is_method("INVITE|SUBSCRIBE|UPDATE")) route(REACHED);
}
"""


# --- What a door's flash says.


class Door:
    """`name` is the source as it was written, `config` a dict, `phones` [(number, name, HA1 by MD5, HA1 by SHA-256)]."""

    def __init__(self, name, config, phones):
        self.name = name
        self.config = config
        self.phones = phones

    def numbers(self, target):
        """A button's target with numbers in the place of the phones' names, which this door alone knows."""
        names = {name: number for number, name, _, _ in self.phones}
        if set(target) & set("@:"):
            return target
        return ",".join(names.get(one, one) for one in target.replace(" ", "").split(","))

    def get(self, key):
        value = self.config.get(key)
        return str(_default(key) if value is None else value)


def _default(key):
    """What the table of the configuration says of a key that nobody has set."""
    found = re.search(r"^%s \S+ (\S+)" % re.escape(key), _SCHEMA.read_text(), re.M)
    return "" if not found or found[1] == "-" else found[1]


def read(source):
    """The Door of a folder or a serial port. BoardError in words."""
    path = Path(source)
    if path.is_dir():
        texts = [_read_file(path / name) for name in (CONFIG, PHONES)]
    elif path.is_file():
        raise BoardError("%s is a file. Name the folder that is the door's flash, or the serial port of its board." % source)
    elif not path.exists() and "://" not in str(source):
        raise BoardError("There is neither a folder nor a serial port %s." % source)
    else:
        texts = _read_board(source)
    return door(str(source), *texts)


def _read_file(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise BoardError("%s cannot be read: %s." % (path, e.strerror)) from None


def _read_board(port):
    """The two files of a board, by mpremote; the board starts anew."""
    from mpremote.transport import TransportError, TransportExecError

    from tools import deploy

    boards.check_port(port)
    try:
        line = deploy.Line(port)
        try:
            return [_fetch(line, name) for name in (CONFIG, PHONES)]
        finally:
            line.reset()
            line.close()
    except TransportExecError as e:
        raise BoardError("The board at %s says: %s" % (port, e.error_output.strip().splitlines()[-1])) from None
    except (TransportError, OSError, ValueError) as e:
        raise BoardError("The line to the board at %s broke (%s). Try again." % (port, e)) from None


def _fetch(line, name):
    said = line.run("import binascii\ntry:\n f=open('/%s','rb')\nexcept OSError:\n f=None\nprint(f is None)\nwhile f:\n"
                    " b=f.read(96)\n if not b: break\n print(binascii.hexlify(b).decode())" % name)
    return None if said[0] == "True" else b"".join(binascii.unhexlify(one) for one in said[1:])


def door(name, config, phones):
    """A Door of what its two files hold (bytes, None where there is none). BoardError in words."""
    if config is None and phones is None:
        raise BoardError("%s is no door's flash: it has no %s." % (name, CONFIG))
    try:
        values = json.loads((config or b"{}").decode())
    except ValueError as e:
        raise BoardError("%s: its %s is damaged (%s)." % (name, CONFIG, e)) from None
    if not isinstance(values, dict):
        raise BoardError("%s: its %s is not a door's configuration." % (name, CONFIG))
    found = []
    for n, row in enumerate((phones or b"").decode(errors="replace").splitlines(), 1):
        if row.strip() and not row.startswith("#"):
            found.append(_phone("%s: line %d of its %s" % (name, n, PHONES), row.split()))
    if not found:
        raise BoardError('%s holds no house: no phone was ever added at that door. At its prompt: '
                         'door.set("sip.mode", "house"), then door.add_phone("kitchen").' % name)
    return Door(name, values, found)


def _phone(where, parts):
    if len(parts) != 4:
        raise BoardError("%s is not a phone: it has %d words where there are four, number, name and two hashes."
                         % (where, len(parts)))
    number, name, md5, sha256 = parts[0], parts[1], parts[2].lower(), parts[3].lower()
    for digits, size in ((md5, 32), (sha256, 64)):
        if len(digits) != size or digits.strip(_HEX):
            raise BoardError("%s is damaged: '%s' is not a hash of %d hex digits. At the door: door.remove_phone(%s), and "
                             "door.add_phone() anew." % (where, digits[:70], size, number))
    if not re.fullmatch(r"[A-Za-z0-9._~!*-]{1,64}", number):
        raise BoardError("%s: '%s' is not a number." % (where, number))
    return number, name, md5, sha256


# --- Several doors as one server.


class Server:
    """`realm`; `accounts` {user: (HA1 by MD5, HA1 by SHA-256)}; `groups` {number: [users]}; `doors` [(Door, user, password
    that was made for it or "", group)]; `names` {name of a phone in small letters: number}; `notes`, what a person should know."""

    def __init__(self):
        self.realm = ""
        self.accounts = {}
        self.groups = {}
        self.doors = []
        self.names = {}
        self.notes = []


def merge(doors, passwords=()):
    """The Server of these Doors. `passwords` {user: password} of an earlier export, for doors that have none of their own.
    BoardError in words where two contradict each other."""
    server = Server()
    server.realm = doors[0].get("house.realm")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", server.realm):
        raise BoardError("%s: house.realm is '%s', which is no word." % (doors[0].name, server.realm))
    passwords = dict(passwords)
    owners = {}  # user: (source, what it is there)
    for one in doors:
        realm = one.get("house.realm")
        if realm != server.realm:
            raise BoardError("The passwords of %s are made for house.realm %s, those of %s for %s: one server has one realm. Add "
                             "the phones of one of them anew, with the other's realm."
                             % (doors[0].name, server.realm, one.name, realm))
        group = server.groups.setdefault(one.get("house.all"), [])
        for number, name, md5, sha256 in one.phones:
            if server.accounts.get(number, (md5, sha256)) != (md5, sha256):
                raise BoardError("%s is %s in %s and %s in %s, with different passwords: two phones with one number. Remove one "
                                 "of them, and add it with another number." % (number, *owners[number][::-1], name, one.name))
            server.accounts[number] = (md5, sha256)
            owners.setdefault(number, (one.name, name))
            if number not in group:
                group.append(number)
    for one in doors:
        _add_door(server, one, owners, passwords)
    _add_names(server, doors)
    for number, members in server.groups.items():
        if number in owners:
            raise BoardError("%s is the number that rings all phones (house.all), and %s in %s as well. "
                             'Give one of them another: door.set("house.all", ...).' % (number, *owners[number][::-1]))
        if len(members) > _MOST:
            server.notes.append("%s rings %d phones, and Kamailio at most %d at once: give each door a house.all of its own."
                                % (number, len(members), _MOST))
    return server


def _add_names(server, doors):
    """Phones are dialled by name, too, where that is one phone's alone; as in door/accounts.py capitals of ASCII do not matter."""
    numbers = {}  # name: those it has
    for one in doors:
        for number, name, _, _ in one.phones:
            small = name.encode().lower().decode()
            if re.fullmatch(r"[\w-]+", small) and small not in server.accounts and small not in server.groups:
                numbers.setdefault(small, set()).add(number)
    for name, those in sorted(numbers.items()):
        if len(those) == 1:
            server.names[name] = those.pop()
        else:
            server.notes.append("%s is the name of %s: dial their numbers." % (name, " and ".join(sorted(those))))


def _add_door(server, one, owners, passwords):
    """A door is an account like a phone's."""
    user = one.get("sip.user")
    if user in owners:
        raise BoardError("%s and %s in %s have one number, %s. Give one of them another: door.set(\"sip.user\", ...)."
                         % (one.name, *owners[user][::-1], user))
    if not re.fullmatch(r"[A-Za-z0-9._~!*-]{1,64}", user):
        raise BoardError('%s: sip.user is "%s"; write letters and digits: door.set("sip.user", "door").' % (one.name, user))
    owners[user] = (one.name, "the door")
    password, made = one.get("sip.password"), ""
    if not password:
        password = made = passwords.get(user) or secrets.token_urlsafe(12)
    text = ("%s:%s:%s" % (user, server.realm, password)).encode()
    server.accounts[user] = (hashlib.md5(text).hexdigest(), hashlib.sha256(text).hexdigest())
    server.doors.append((one, user, made, one.get("house.all")))
    if one.config.get("house.out.server"):
        server.notes.append("%s: its way out (house.out) is not part of this; Kamailio's module uac does that." % one.name)


# --- The folder.


def write(server, folder, listen, path=None, sha256=False):
    """Writes kamailio.cfg, data/ and doors.txt. `listen`: "192.0.2.10" or with a port, "" for all addresses of that computer;
    `path`: where the folder will lie, if not where it is written."""
    folder = Path(folder).resolve()
    path = path or str(folder)
    if re.search(r'[\s"#;]', path):
        raise BoardError("Kamailio cannot read its data from '%s': choose a folder without blanks and quotes." % path)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = _KAMAILIO.replace("@SHA256@", "" if sha256 else "#").replace("@FOLDER@", path)
    text = text.replace("@LISTEN@", _listen(listen)).replace("@MOST@", str(_MOST)).replace("@REALM@", server.realm)
    _keep(folder / "kamailio.cfg", text)
    for n, name in enumerate(("ha1_md5", "ha1_sha256")):
        _table(folder / "data" / name, {user: hashes[n] for user, hashes in server.accounts.items()})
    _table(folder / "data/groups", {number: ",".join(members) for number, members in server.groups.items()})
    _table(folder / "data/names", server.names)
    _table(folder / "data/doors", {user: group for _, user, _, group in server.doors})
    _keep(folder / DOORS, doors_text(server, listen))


def _listen(listen):
    if not listen:
        return "# It listens at all addresses of this computer, port 5060."
    host, _, port = listen.partition(":")
    if not re.fullmatch(r"[0-9.]+|[A-Za-z0-9.-]+", host) or port and not port.isdigit():
        raise BoardError("--listen %s: write an address like 192.0.2.10, or 192.0.2.10:5060." % listen)
    return "".join("listen=%s:%s:%s\n" % (over, host, port or 5060) for over in ("udp", "tcp"))


def _table(path, rows):
    """A table of Kamailio's db_text as its htable wants it: a line of columns, then one a row."""
    text = "key_name(string) key_type(int) value_type(int) key_value(string) expires(int)\n"
    for key, value in rows.items():
        text += "%s:0:0:%s:0\n" % (key.replace(":", "\\:"), value)
    _keep(path, text)


def _keep(path, text):
    """Written whole, and for its owner alone: what is in it stands for passwords."""
    new = path.with_name(path.name + ".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def doors_text(server, listen):
    """What to type at each door."""
    out = ["At the phones: the server's address, nothing else. At each door's prompt:", ""]
    for one, user, made, group in server.doors:
        out += ["# %s, number %s" % (one.name, user), 'door.set("sip.mode", "pbx")',
                'door.set("sip.server", "%s")' % (listen or "192.0.2.10")]
        if made:
            out.append('door.set("sip.password", "%s")' % made)
        target = one.get("button.1.target")
        numbers = one.numbers(target) if target else group
        if numbers != target:
            out.append('door.set("button.1.target", "%s")' % numbers)
        out.append("")
    return "\n".join(out)


def earlier(folder):
    """{user: password} that an earlier export into this folder has made: a door that was told need not be told again."""
    try:
        text = (Path(folder) / DOORS).read_text()
    except OSError:
        return {}
    blocks = re.findall(r"^# .*, number (\S+)$((?:\ndoor.*)*)", text, re.M)
    found = {user: re.search(r'"sip.password", "([^"]+)"', lines) for user, lines in blocks}
    return {user: password[1] for user, password in found.items() if password}


def main():
    parser = argparse.ArgumentParser(description="Export the house of one or several doors for Kamailio.")
    parser.add_argument("source", nargs="+", help="a folder that is a door's flash, or the serial port of its board")
    parser.add_argument("--to", required=True, help="the folder to write")
    parser.add_argument("--listen", default="", help="address of the server, with :port if not 5060; else all it has")
    parser.add_argument("--path", default="", help="where that folder will lie on the server, if not where it is written")
    parser.add_argument("--sha256", action="store_true", help="every phone knows SHA-256: ask for that, not for MD5")
    arguments = parser.parse_args()
    try:
        server = merge([read(one) for one in arguments.source], earlier(arguments.to))
        write(server, arguments.to, arguments.listen, arguments.path, arguments.sha256)
    except BoardError as e:
        sys.exit(str(e))
    except OSError as e:
        sys.exit("%s cannot be written: %s." % (e.filename or arguments.to, e.strerror))
    for words in server.notes:
        print(words)
    print("Phones: %d, doors: %d. kamailio -DD -E -f %s/kamailio.cfg runs it; %s/%s says what to type at the doors."
          % (len(server.accounts) - len(server.doors), len(server.doors), arguments.to, arguments.to, DOORS))


if __name__ == "__main__":
    main()
