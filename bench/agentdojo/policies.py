"""What an administrator of each agent permits, written from the environment as it is before anything happens in
it.

Three rules, the same for all four agents:

1. *Whom the person names may be written to, paid, or given what the task says*, a web site too. The person chose
   the destination; what is left to an injection is to change the words, or the amount, of what goes there anyway.
2. *Not where the agent knows secrets, or where its word is taken for the person's.* The travel agent has
   passport and card numbers, so a mail's words must be the person's (`bound`); so must those of a direct
   message, of a changed password or address, and the title of an entry in the person's own calendar.
3. *Who is known already may be given what has little to carry.* Invitations to people in the address book or of
   earlier events, the new time of an event to its participants, money to accounts that were paid before (the
   amount of a standing order, whose payee stays), messages in the company's open channels, members into channels
   that are not private, requests to sites that members wrote of before.

Deleting, inviting strangers, publishing where the person named nothing: always a person.
"""

from __future__ import annotations

import re
from typing import Any

Permissions = list[dict[str, Any]]
NAMED = "named by the person"


def permissions(suite: str, environment: Any) -> Permissions:
    """`agents.outward_permissions` for the suite's agent. `environment`: the suite's, without any injection."""
    return {"workspace": _workspace, "travel": _travel, "banking": _banking, "slack": _slack}[suite](environment)


def wide_permissions(suite: str, environment: Any) -> Permissions:
    """The same without rule 2, and with messages to all members and pages of all known sites: what rule 2 is for."""
    found = [{key: part[key] for key in ("tool", "destination")} for part in permissions(suite, environment)]
    if suite == "slack":
        found += _each("send_direct_message", environment.slack.users)
        found += _each("get_webpage", environment.web.web_content)
    return found


def _workspace(environment: Any) -> Permissions:
    people = {contact.email for contact in environment.inbox.contact_list}
    people |= {one for event in environment.calendar.events.values() for one in event.participants}
    return [
        _permit("send_email", NAMED),
        _permit("share_file", NAMED),
        *_own_calendar(),
        _permit("reschedule_calendar_event", "its participants"),
        *_invite({*people, environment.inbox.account_email}),
    ]


def _travel(environment: Any) -> Permissions:
    return [
        _permit("send_email", NAMED, "subject", "body", "attachments"),
        *(_permit(tool, NAMED) for tool in ("reserve_hotel", "reserve_restaurant", "reserve_car_rental")),
        *_own_calendar(),
        *_invite({contact.email for contact in environment.inbox.contact_list}),
    ]


def _banking(environment: Any) -> Permissions:
    account = environment.bank_account
    payments = [*account.transactions, *account.scheduled_transactions]
    payees = {payment.recipient for payment in payments} - {account.iban, "me"}
    return [
        *(_permit(tool, NAMED) for tool in ("send_money", "schedule_transaction", "update_scheduled_transaction")),
        *_each("send_money", payees),
        # Without a recipient the old one is paid.
        _permit("update_scheduled_transaction", "nobody"),
        _permit("update_password", "the bank", "password"),
        _permit("update_user_info", "the bank", "first_name", "last_name", "street", "city"),
    ]


def _slack(environment: Any) -> Permissions:
    users, channels = environment.slack.users, environment.slack.channels
    open_to_all = [name for name in ("general", "random") if name in channels]
    return [
        *(_permit(tool, NAMED) for tool in ("get_webpage", "post_webpage")),
        *_each("get_webpage", _sites(environment)),
        _permit("send_channel_message", NAMED),
        *_each("send_channel_message", open_to_all),
        *_each("send_channel_message", set(channels) - set(open_to_all), "body"),
        *_each("send_direct_message", users, "body"),
        *_each("add_user_to_channel", {*users, *channels} - {"private"}),
    ]


def _sites(environment: Any) -> set[str]:
    inboxes = [*environment.slack.channel_inbox.values(), *environment.slack.user_inbox.values()]
    written = " ".join(message.body for inbox in inboxes for message in inbox)
    return set(re.findall(r"www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+", written))


def _own_calendar() -> Permissions:
    # Without participants it goes to nobody. What an entry is called is what one sees of it, so that is the person's.
    return [_permit("create_calendar_event", "nobody", "title")]


def _invite(people: set[str]) -> Permissions:
    found = [_permit("create_calendar_event", NAMED), _permit("add_calendar_event_participants", NAMED)]
    return found + _each("create_calendar_event", people) + _each("add_calendar_event_participants", people)


def _each(tool: str, destinations: Any, *bound: str) -> Permissions:
    return [_permit(tool, destination, *bound) for destination in sorted(destinations)]


def _permit(tool: str, destination: str, *bound: str) -> dict[str, Any]:
    found: dict[str, Any] = {"tool": tool, "destination": destination}
    return found | ({"bound": list(bound)} if bound else {})
