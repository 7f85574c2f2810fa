r"""Tables between IMAP's words and ours: flags, special uses, mailbox names in many languages.

Owns the literal tables and the look-ups in them. Refuses guesses: a mailbox whose name is in no table has no role, a
keyword outside our grammar is not shown. `\Recent` belongs to a session and `\Deleted` to IMAP's two-step removal: both
stay here (RFC 8621 section 4.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from postroom_server.domain.flags import ANSWERED, DRAFT, FLAGGED, FORWARDED, JUNK, SEEN, Flag, parse_flag
from postroom_server.domain.mailboxes import Role

__all__ = ["flag_from_wire", "flag_to_wire", "role_by_name", "role_by_use"]

_FLAGS: Final[Mapping[str, Flag | None]] = {
    "\\seen": SEEN,
    "\\flagged": FLAGGED,
    "\\answered": ANSWERED,
    "\\draft": DRAFT,
    "\\recent": None,
    "\\deleted": None,
    "forwarded": FORWARDED,
    "$forwarded": FORWARDED,
    "junk": JUNK,
    "$junk": JUNK,
}
_WIRE: Final[Mapping[Flag, tuple[str, ...]]] = {
    SEEN: ("\\Seen",),
    FLAGGED: ("\\Flagged",),
    ANSWERED: ("\\Answered",),
    DRAFT: ("\\Draft",),
    FORWARDED: ("$Forwarded", "Forwarded"),
    JUNK: ("$Junk", "Junk"),
}
_USES: Final[Mapping[str, Role]] = {
    "\\inbox": Role.INBOX,
    "\\archive": Role.ARCHIVE,
    "\\drafts": Role.DRAFTS,
    "\\sent": Role.SENT,
    "\\junk": Role.JUNK,
    "\\spam": Role.JUNK,
    "\\trash": Role.TRASH,
    "\\all": Role.ALL,
    "\\allmail": Role.ALL,
    "\\flagged": Role.FLAGGED,
    "\\starred": Role.FLAGGED,
    "\\important": Role.IMPORTANT,
}
_NAMES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.ARCHIVE: (
        "archive", "archives", "archiv", "archivio", "archivo", "arquivo", "archief", "archiwum", "arkiv", "arkisto",
        "архив", "archív", "arşiv", "アーカイブ", "存档", "归档", "封存",
    ),
    Role.DRAFTS: (
        "drafts", "draft", "entwürfe", "entwurf", "brouillons", "brouillon", "borradores", "bozze", "rascunhos",
        "concepten", "szkice", "wersje robocze", "utkast", "kladder", "luonnokset", "черновики", "koncepty", "piszkozatok",
        "taslaklar", "下書き", "草稿", "草稿箱", "임시보관함",
    ),
    Role.SENT: (
        "sent", "sent items", "sent mail", "sent messages", "gesendet", "gesendete objekte", "gesendete elemente",
        "gesendete nachrichten", "envoyés", "éléments envoyés", "messages envoyés", "enviados", "elementos enviados",
        "inviata", "posta inviata", "itens enviados", "verzonden", "verzonden items", "wysłane", "elementy wysłane",
        "skickat", "skickade objekt", "sendt", "sendte elementer", "lähetetyt", "отправленные", "odeslané",
        "odeslaná pošta", "elküldött", "gönderilmiş öğeler", "送信済み", "送信済みアイテム", "已发送", "已傳送", "보낸편지함",
    ),
    Role.JUNK: (
        "junk", "junk mail", "junk e-mail", "junk email", "spam", "bulk mail", "spamverdacht", "werbung",
        "courrier indésirable", "indésirables", "pourriel", "correo no deseado", "posta indesiderata", "lixo eletrônico",
        "lixo eletrónico", "ongewenste e-mail", "wiadomości-śmieci", "skräppost", "søppelpost", "uønsket e-mail",
        "roskaposti", "спам", "nevyžádaná pošta", "levélszemét", "önemsiz", "迷惑メール", "垃圾邮件", "垃圾郵件", "스팸메일함",
    ),
    Role.TRASH: (
        "trash", "deleted", "deleted items", "deleted messages", "bin", "papierkorb", "gelöscht", "gelöschte objekte",
        "gelöschte elemente", "corbeille", "éléments supprimés", "papelera", "elementos eliminados", "cestino",
        "posta eliminata", "lixeira", "lixo", "itens excluídos", "prullenbak", "verwijderde items", "kosz",
        "elementy usunięte", "papperskorg", "papperskorgen", "slettet post", "slettede elementer", "roskakori",
        "корзина", "удаленные", "koš", "odstraněná pošta", "kuka", "silinmiş öğeler", "ゴミ箱", "已删除", "垃圾桶", "휴지통",
    ),
}  # fmt: skip
_BY_NAME: Final[Mapping[str, Role]] = {name: role for role, names in _NAMES.items() for name in names}


def flag_from_wire(name: str) -> Flag | None:
    """Return our spelling of a flag; None for what is not shown."""
    lower = name.lower()
    if lower in _FLAGS:
        return _FLAGS[lower]
    try:
        return parse_flag(lower)
    except ValueError:
        return None


def flag_to_wire(flag: Flag) -> tuple[str, ...]:
    """Return IMAP's spellings of a flag: the first one is to be set, all of them are to be removed."""
    return _WIRE.get(flag, (flag,))


def role_by_use(attributes: Iterable[str]) -> Role | None:
    """Return the role that the server gives a mailbox (RFC 6154, XLIST)."""
    return next((role for name, role in _USES.items() if name in set(attributes)), None)


def role_by_name(name: str) -> Role | None:
    """Return the role that the last element of a path suggests."""
    return _BY_NAME.get(name.strip().casefold())
