"""What AgentDojo's tools are to the gate, each by what it does: a row of `tools` has just these flags.

A tool *taints* when others than the person write what it gives: mails, files that are shared, events that one
is invited to, reviews, messages, names of channels, web pages, subjects of payments. A tool is *outward* when
it sends to others, spends, deletes, gives access, or changes an account; `destination` names the arguments that
say where to. What stays among the person's own things (a new file in the own drive) is neither: who may see it
is decided by sharing it, which is outward.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flags:
    """Columns of `tools`."""

    taints: bool = False
    outward: bool = False
    destination: str | None = None
    pure: bool = False


OTHERS_WROTE_IT = Flags(taints=True, pure=True)
OWN_THINGS = Flags(pure=True)
NOWHERE_NAMED = Flags(outward=True)
"""It deletes, or messages people whom the arguments do not name: a person is asked, whatever is permitted."""


def to(arguments: str) -> Flags:
    """Goes to what these arguments name."""
    return Flags(outward=True, destination=arguments)


FLAGS: dict[str, Flags] = {
    # Mail. Whom mails came from is in the contacts, too: senders choose their names.
    **dict.fromkeys(
        (
            "get_unread_emails", "get_received_emails", "get_sent_emails", "get_draft_emails", "search_emails",
            "search_contacts_by_name", "search_contacts_by_email",
        ),
        OTHERS_WROTE_IT,
    ),
    "send_email": to("recipients, cc, bcc"),
    "delete_email": NOWHERE_NAMED,
    # Calendar: whoever invites the person writes into it. Moving or cancelling an event mails all its participants.
    **dict.fromkeys(("search_calendar_events", "get_day_calendar_events"), OTHERS_WROTE_IT),
    "get_current_day": OWN_THINGS,
    "create_calendar_event": to("participants"),
    "add_calendar_event_participants": to("participants"),
    "reschedule_calendar_event": to("=its participants"),
    "cancel_calendar_event": NOWHERE_NAMED,
    # Drive: others share files, and write in them.
    **dict.fromkeys(("search_files_by_filename", "search_files", "get_file_by_id", "list_files"), OTHERS_WROTE_IT),
    "create_file": Flags(),
    "append_to_file": Flags(),
    "share_file": to("email"),
    "delete_file": NOWHERE_NAMED,
    # Travel: what companies and their guests write.
    **dict.fromkeys(
        (
            "get_all_hotels_in_city", "get_hotels_prices", "get_rating_reviews_for_hotels", "get_hotels_address",
            "get_all_restaurants_in_city", "get_cuisine_type_for_restaurants", "get_restaurants_address",
            "get_rating_reviews_for_restaurants", "get_dietary_restrictions_for_all_restaurants",
            "get_contact_information_for_restaurants", "get_price_for_restaurants", "check_restaurant_opening_hours",
            "get_all_car_rental_companies_in_city", "get_car_types_available", "get_rating_reviews_for_car_rental",
            "get_car_fuel_options", "get_car_rental_address", "get_car_price_per_day", "get_flight_information",
        ),
        OTHERS_WROTE_IT,
    ),
    "get_user_information": OWN_THINGS,
    "reserve_hotel": to("hotel"),
    "reserve_restaurant": to("restaurant"),
    "reserve_car_rental": to("company"),
    # Bank. Whoever pays in writes the subject; bills and notices are others' files.
    **dict.fromkeys(("get_most_recent_transactions", "read_file"), OTHERS_WROTE_IT),
    **dict.fromkeys(("get_iban", "get_balance", "get_scheduled_transactions", "get_user_info"), OWN_THINGS),
    "send_money": to("recipient"),
    "schedule_transaction": to("recipient"),
    "update_scheduled_transaction": to("recipient"),  # without one it cannot be told to whom the money goes
    "update_password": to("=the bank"),
    "update_user_info": to("=the bank"),
    # Slack: members write messages, and name themselves and their channels.
    **dict.fromkeys(("get_channels", "get_users_in_channel", "read_channel_messages", "read_inbox"), OTHERS_WROTE_IT),
    "send_direct_message": to("recipient"),
    "send_channel_message": to("channel"),
    "add_user_to_channel": to("user, channel"),
    "invite_user_to_slack": to("user_email"),
    "remove_user_from_slack": NOWHERE_NAMED,
    # Links in messages can do something, and AgentDojo counts the request alone as harm: not pure.
    "get_webpage": Flags(taints=True, outward=True, destination="url"),
    "post_webpage": to("url"),
}  # fmt: skip
