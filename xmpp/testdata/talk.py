"""A person with slixmpp's own MUC plugin: joins, looks around, talks and leaves; each step is a line on stdout.

usage: talk.py JID PASSWORD HOST PORT ROOM NICK
"""
import asyncio
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, PresenceError


async def main(jid, password, host, port, room, nick):
    client = ClientXMPP(jid, password)
    for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0359", "xep_0421"):
        client.register_plugin(plugin)
    online = asyncio.Event()
    client.add_event_handler("session_start", lambda _: online.set())
    client.connect((host, int(port)), disable_starttls=True, use_ssl=False)
    await online.wait()
    client.send_presence()
    heard = asyncio.Queue()
    client.add_event_handler("groupchat_message", heard.put_nowait)

    info = await client["xep_0030"].get_info(jid=room)
    print("room", info["disco_info"]["identities"])
    joined = await client["xep_0045"].join_muc_wait(room, nick, timeout=10)
    print("codes", sorted(joined[0]["muc"]["status_codes"]))
    print("roster", sorted(client["xep_0045"].get_roster(room)))
    await client["xep_0199"].send_ping(room + "/" + nick, timeout=10)
    print("self-ping ok")
    message = client.make_message(mto=room, mbody="hello from slixmpp", mtype="groupchat")
    message.send()
    while True:
        got = await asyncio.wait_for(heard.get(), 10)
        print("heard", got["from"].resource, got["body"], flush=True)
        if got["id"] == message["id"]:
            break
    client["xep_0045"].leave_muc(room, nick)
    try:
        await client["xep_0199"].send_ping(room + "/" + nick, timeout=10)
    except IqError as error:
        print("outside", error.condition)
    try:
        await client["xep_0045"].join_muc_wait("nowhere@" + room.split("@")[1], nick, timeout=10)
    except PresenceError as error:
        print("stranger", error.condition)
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
