"""Names that users' code is written against, copied from the design of the contract: fields in JSON spelling, enum values."""

from __future__ import annotations

import keyword

import pytest
from google.api import field_behavior_pb2, resource_pb2
from google.protobuf import descriptor_pb2, json_format
from postroom.v1 import change_pb2, message_pb2, submission_pb2

from tests.fixtures.contract import Contract

FIELDS = {
    "Account": """name email displayName imap smtp oauth gmail graph sandbox mailboxRoles watchedMailboxes liveMailboxes
        sentCopy relay labels state lastError capabilities createTime updateTime etag""",
    "MailServer": "host port security username password",
    "OAuthGrant": "app user refreshToken accessToken expireTime",
    "GraphSettings": "mailbox cloud",
    "AccountError": "reason message time",
    "Capabilities": "membership settableFlags keywords push append permanentDelete search sendOnly raw",
    "Mailbox": """name path displayName delimiter role roleSource subscribed selectable virtual messageCount unseenCount
        watch freshTime etag""",
    "Message": """name mailboxes threadId internetMessageId inReplyTo references subject from sender replyTo to cc bcc
        sendTime receiveTime sizeBytes sizeExact flags preview attachments headers text html textTruncated copyOf
        provider""",
    "Message.Provider": "uid uidValidity modseq providerId",
    "Address": "displayName address",
    "Header": "name value",
    "Attachment": "name filename contentType encodedSizeBytes sizeBytes contentId inline",
    "Change": """cursor account sequence changeId detectTime cause messageAdded messageRemoved messageMoved
        mailboxesChanged flagsChanged mailboxAdded mailboxRenamed mailboxRemoved mailboxReset mailboxAudited accountAdded
        accountStateChanged accountReset accountRemoved submissionChanged bounceReceived complaintReceived messageOpened
        linkClicked recipientUnsubscribed""",
    "Change.Cause": "kind requestId",
    "MessageAdded": "message",
    "MessageRemoved": "message mailboxes",
    "MessageMoved": "message from to evidence",
    "MailboxesChanged": "message added removed mailboxes",
    "FlagsChanged": "message added removed flags",
    "MailboxAdded": "mailbox",
    "MailboxRenamed": "mailbox oldPath newPath",
    "MailboxRemoved": "mailbox",
    "MailboxReset": "mailbox reason",
    "MailboxAudited": "mailbox messageCount digest repaired",
    "AccountAdded": "account",
    "AccountStateChanged": "state error",
    "AccountReset": "reason",
    "AccountRemoved": "",
    "SubmissionChanged": "submission",
    "WatchChangesRequest": """parent cursor from fromTime consumer mailboxes kinds labelSelector partition view
        heartbeatInterval""",
    "WatchChangesResponse": "cursor change checkpoint reset snapshotEnd end",
    "Checkpoint": "headCursor earliestCursor serverTime lagChanges retentionUsed accounts",
    "Checkpoint.Accounts": "connected total stalest",
    "Reset": "scope reason",
    "StreamEnd": "reason retryAfter",
    "Partition": "index count",
    "ListChangesRequest": "parent cursor from fromTime maxChanges wait",
    "ListChangesResponse": "changes cursor headCursor earliestCursor",
    "Consumer": "name selection committedCursor lagChanges lagDuration createTime lastCommitTime",
    "Token": "name displayName scopes accounts expireTime createTime lastUseTime",
    "CreateTokenRequest": "token",
    "CreateTokenResponse": "token secret",
    "GetServerInfoResponse": "version nodes shardCount retention",
    "Node": "name address shards accounts startTime",
    "Submission": """name state message envelope sendTime attempts nextAttemptTime recipients requestId
        internetMessageId relayedMessageId sentMessage createTime composed raw relay dsn tracking template""",
    "Submission.Envelope": "from to",
    "Submission.Attempt": "time reply enhancedStatus",
    "Submission.Recipient": "address state reply",
    "Submission.TemplateUse": "name params",
    "ComposedMessage": "from to cc bcc replyTo subject text html attachments headers internetMessageId reference",
    "ComposedMessage.OutgoingAttachment": "filename contentType content source contentId inline",
    "ComposedMessage.Reference": "message action inlineOriginal forwardAttachments",
    "SubmitMessageRequest": "parent submission requestId validateOnly",
    "UploadSubmissionRequest": "parent content requestId sendTime",
    "UploadMessageRequest": "parent content flags receiveTime",
    "AppendMessageRequest": "parent raw composed flags receiveTime",
    "SearchMessagesRequest": "parent mailboxes filter view pageSize pageToken",
    "SearchMessagesResponse": "messages nextPageToken coverage",
    "SearchFilter": "operator filters condition",
    "SearchCondition": """from to cc bcc subject body text header hasFlag notFlag after before sentAfter sentBefore minSize
        maxSize hasAttachment threadId internetMessageId uid rawQuery""",
    "SearchCoverage": "condition answeredBy match complete",
    "CreateAccountRequest": "accountId account requestId",
    "ListAccountsRequest": "pageSize pageToken states email labelSelector",
    "UpdateAccountRequest": "account updateMask",
    "DiscoverSettingsRequest": "email",
    "ListMailboxesRequest": "parent withCounts",
    "ListMessagesRequest": "parent view pageSize pageToken",
    "GetMessageRequest": "name view",
    "DownloadAttachmentRequest": "name offset length",
    "ModifyMessagesRequest": "parent names filter addFlags removeFlags addMailboxes removeMailboxes",
    "MoveMessagesRequest": "parent names filter to",
    "CopyMessagesRequest": "parent names filter to",
    "DeleteMessagesRequest": "parent names filter permanent",
}
VALUES = {
    "Account.State": "CONNECTING SYNCING CONNECTED DISCONNECTED AUTH_FAILED UNREACHABLE PAUSED",
    "Account.SentCopy": "AUTO ALWAYS NEVER",
    "MailServer.Security": "TLS STARTTLS NONE",
    "Capabilities.Membership": "ONE MANY",
    "Capabilities.Append": "ANY DRAFTS NONE",
    "Capabilities.Match": "EXACT SUBSTRING WORD",
    "Mailbox.RoleSource": "USER SERVER NAME",
    "Mailbox.Watch": "LIVE POLLED NONE",
    "Message.View": "BASIC FULL",
    "Change.Cause.Kind": "REMOTE API RESYNC SNAPSHOT",
    "Change.Kind": """MESSAGE_ADDED MESSAGE_REMOVED MESSAGE_MOVED MAILBOXES_CHANGED FLAGS_CHANGED MAILBOX_ADDED
        MAILBOX_RENAMED MAILBOX_REMOVED MAILBOX_RESET MAILBOX_AUDITED ACCOUNT_ADDED ACCOUNT_STATE_CHANGED ACCOUNT_RESET
        ACCOUNT_REMOVED SUBMISSION_CHANGED BOUNCE_RECEIVED COMPLAINT_RECEIVED MESSAGE_OPENED LINK_CLICKED
        RECIPIENT_UNSUBSCRIBED""",
    "MessageMoved.Evidence": "SERVER FINGERPRINT",
    "Reset.Reason": """UIDVALIDITY_CHANGED HISTORY_EXPIRED DELTA_EXPIRED SNAPSHOT_LOST BACKEND_CHANGED RETENTION
        STORE_ROLLED_BACK""",
    "WatchChangesRequest.StartFrom": "NOW EARLIEST SNAPSHOT",
    "StreamEnd.Reason": "REPLACED",
    "Submission.State": "SCHEDULED QUEUED SENDING RETRYING IN_DOUBT RELAYED FAILED CANCELLED",
    "ComposedMessage.Reference.Action": "REPLY REPLY_ALL FORWARD",
    "SearchFilter.Operator": "AND OR NOT",
    "SearchCoverage.AnsweredBy": "SERVER SNAPSHOT POST_FILTER",
}
PATTERNS = {
    "Account": "accounts/{account}",
    "Mailbox": "accounts/{account}/mailboxes/{mailbox}",
    "Message": "accounts/{account}/messages/{message}",
    "Attachment": "accounts/{account}/messages/{message}/attachments/{attachment}",
    "Thread": "accounts/{account}/threads/{thread}",
    "Submission": "accounts/{account}/submissions/{submission}",
    "Consumer": "consumers/{consumer}",
    "Token": "tokens/{token}",
    "OAuthApp": "oauthApps/{oauth_app}",
    "Template": "templates/{template}",
    "Relay": "relays/{relay}",
    "Route": "routes/{route}",
    "SuppressionEntry": "suppressionLists/{list}/entries/{entry}",
    "Export": "accounts/{account}/exports/{export}",
}
SECRETS = {"password", "refresh_token", "access_token", "client_secret", "private_key"}
SCOPES = """accounts.read accounts.write messages.read messages.write messages.send changes.read consumers.write
    tokens.admin server.read admin"""


def behaviours(field: descriptor_pb2.FieldDescriptorProto) -> set[str]:
    """The names of a field's google.api.field_behavior."""
    names = field_behavior_pb2.FieldBehavior
    return {names.Name(value) for value in field.options.Extensions[field_behavior_pb2.field_behavior]}


@pytest.mark.parametrize("name", FIELDS)
def test_messages_have_the_fields_of_the_contract(contract: Contract, name: str) -> None:
    assert set(FIELDS[name].split()) <= {field.json_name for field in contract.message(name).field}


@pytest.mark.parametrize("name", VALUES)
def test_enums_have_the_values_of_the_contract(contract: Contract, name: str) -> None:
    found = [value.name for value in contract.enum(name).value]
    assert found[0].endswith("_UNSPECIFIED")
    assert set(VALUES[name].split()) <= set(found)


@pytest.mark.parametrize("name", PATTERNS)
def test_resources_have_their_name_first(contract: Contract, name: str) -> None:
    message = contract.message(name)
    assert list(message.options.Extensions[resource_pb2.resource].pattern) == [PATTERNS[name]]
    assert (message.field[0].name, message.field[0].number) == ("name", 1)
    assert behaviours(message.field[0]) == {"IDENTIFIER"}


def test_every_resource_is_in_the_table(contract: Contract) -> None:
    resources = {
        name
        for name, message in contract.own_messages()
        if message.options.HasExtension(resource_pb2.resource)
    }
    assert resources == PATTERNS.keys()


def test_change_kinds_are_the_facts_of_a_change(contract: Contract) -> None:
    facts = [
        field.name.upper() for field in contract.message("Change").field if field.HasField("oneof_index")
    ]
    assert facts == [value.name for value in contract.enum("Change.Kind").value][1:]


def test_only_the_reasons_are_an_enum_at_the_top(contract: Contract) -> None:
    assert [enum.name for file in contract.files for enum in file.enum_type] == ["ErrorReason"]


def test_secrets_are_never_sent_back(contract: Contract) -> None:
    for name, message in contract.own_messages():
        for field in message.field:
            if field.name in SECRETS:
                assert behaviours(field) == {"INPUT_ONLY"}, f"{name}.{field.name}"


def test_times_sizes_and_counts_end_as_agreed(contract: Contract) -> None:
    conditions = {"SearchCondition", "Export"}
    for name, message in contract.own_messages():
        for field in message.field:
            is_time = field.type_name == ".google.protobuf.Timestamp"
            if is_time and name not in conditions:
                assert field.name == "time" or field.name.endswith("_time"), f"{name}.{field.name}"
            if field.name.endswith("_count"):
                assert field.type in {field.TYPE_INT32, field.TYPE_INT64}, f"{name}.{field.name}"


def test_no_field_is_a_python_keyword(contract: Contract) -> None:
    for name, message in contract.own_messages():
        for field in message.field:
            assert not keyword.iskeyword(field.name), f"{name}.{field.name}"


def test_lists_are_paged_alike(contract: Contract) -> None:
    for name, message in contract.own_messages():
        fields = {field.name: field.number for field in message.field}
        if name.startswith("List") and name.endswith("Response") and "next_page_token" in fields:
            assert message.field[0].label == message.field[0].LABEL_REPEATED, name
            assert (message.field[0].number, fields["next_page_token"]) == (1, 2), name
            request = {field.name for field in contract.message(name.replace("Response", "Request")).field}
            assert {"page_size", "page_token"} <= request, name


def test_the_scopes_are_the_closed_list(contract: Contract) -> None:
    comment = next(one.comment for one in contract.elements() if one.name == "Token.scopes")
    assert [word for word in SCOPES.split() if f"`{word}`" not in comment] == []


def test_json_reads_as_the_contract_writes_it() -> None:
    change = change_pb2.Change(account="accounts/a1", sequence=7)
    change.message_moved.source = "accounts/a1/mailboxes/m1"
    change.message_moved.destination = "accounts/a1/mailboxes/m2"
    change.message_moved.evidence = change.message_moved.SERVER
    assert json_format.MessageToDict(change) == {
        "account": "accounts/a1",
        "sequence": "7",
        "messageMoved": {
            "from": "accounts/a1/mailboxes/m1",
            "to": "accounts/a1/mailboxes/m2",
            "evidence": "SERVER",
        },
    }


def test_from_is_read_in_every_input() -> None:
    text = (
        '{"composed": {"from": {"address": "ann@example.com"}}, "envelope": {"from": "bounce@example.com"}}'
    )
    submission = json_format.Parse(text, submission_pb2.Submission())
    assert submission.composed.from_address.address == "ann@example.com"
    assert submission.envelope.from_address == "bounce@example.com"


def test_a_size_that_is_not_known_is_absent() -> None:
    assert (
        json_format.MessageToDict(
            message_pb2.Message(name="n"), always_print_fields_with_no_presence=True
        ).get("sizeBytes", "absent")
        == "absent"
    )
