"""Labels, and what they are attached to.

Kept in memory like `tenancy`'s records, because every bucket that is shown
shows its labels. Rows of a deleted organization, bucket or document go in the
transaction that deletes it; this room hears of it and follows.

Source: http-api.md §1.8, §11, §27.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound
from fluxkeep.ids import ID, IdGenerator, LabelID, OrgID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketDeleted, DocumentDeleted, OrganizationDeleted, RecordsReplaced
from fluxkeep.metastore.unit_of_work import Event, UnitOfWork
from fluxkeep.resources import store as rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label; its name is unique in its organization, but for case.

    Attributes:
        properties: By key; values are never empty.
    """

    id: LabelID
    org_id: OrgID
    name: str
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def name_key(self) -> str:
        """What must be unique."""
        return self.name.lower()

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs."""
        return Permission(action, ResourceType.LABELS, self.org_id, self.id)


class LabelSnapshot:
    """One state of all labels.

    Attributes:
        all: By id.
        attached: Pairs of resource and label.
        of: A resource's labels, by the labels' ids.
    """

    __slots__ = ("all", "attached", "by_id", "of")

    def __init__(self, labels: Iterable[Label] = (), attached: Iterable[tuple[ID, LabelID]] = ()) -> None:
        self.all = tuple(sorted(labels, key=lambda label: label.id))
        self.by_id: Mapping[LabelID, Label] = {label.id: label for label in self.all}
        self.attached = frozenset(pair for pair in attached if pair[1] in self.by_id)
        groups: dict[ID, list[Label]] = {}
        for resource_id, label_id in sorted(self.attached):
            groups.setdefault(resource_id, []).append(self.by_id[label_id])
        self.of: Mapping[ID, tuple[Label, ...]] = {key: tuple(labels) for key, labels in groups.items()}

    def find_by_key(self, org_id: OrgID, name_key: str) -> Label | None:
        """The organization's label whose name differs at most by case."""
        return next((one for one in self.all if one.org_id == org_id and one.name_key == name_key), None)


@dataclass(frozen=True, slots=True)
class _LabelsChanged(Event):
    now: LabelSnapshot


class Labels:
    """The labels of the instance."""

    def __init__(self, store: MetaStore, ids: IdGenerator) -> None:
        self._store = store
        self._ids = ids
        self._now = self._load()
        store.subscribe(self._follow)

    def _load(self) -> LabelSnapshot:
        with self._store.read() as connection:
            return LabelSnapshot(
                (
                    Label(id=label_id, org_id=org_id, name=name, properties=properties)
                    for label_id, org_id, name, properties in rows.load_labels(connection)
                ),
                rows.load_label_mappings(connection),
            )

    def of(self, access: Access, resource_id: ID) -> tuple[Label, ...]:
        """The labels of a resource that the caller may read, by id.

        The same tuple as long as nothing changed, so that it can serve as a
        cache's key.
        """
        labels = self._now.of.get(resource_id, ())
        if not labels or access.covers(one.permission(Action.READ) for one in labels):
            return labels
        return tuple(access.filter(labels, lambda one: one.permission(Action.READ)))

    def list_(self, access: Access, *, org_id: OrgID | None = None, name: str | None = None) -> list[Label]:
        """Labels by id, those that the caller may read."""
        return access.filter(
            (
                label
                for label in self._now.all
                if (org_id is None or label.org_id == org_id) and (name is None or label.name == name)
            ),
            lambda label: label.permission(Action.READ),
        )

    def get(self, access: Access, label_id: LabelID) -> Label:
        """One label.

        Raises:
            NotFound: `label not found`.
            Unauthorized: Without permission to read it.
        """
        label = _get(self._now, label_id)
        access.require(label.permission(Action.READ))
        return label

    def create(
        self, access: Access, *, org_id: OrgID | None, name: str, properties: Mapping[str, str] | None = None
    ) -> Label:
        """Make a label; blanks around the name are dropped. The organization need not exist.

        Raises:
            InvalidInput: No name or no organization.
            Unauthorized: Without permission to write labels in the organization.
            Conflict: The organization has one of that name, but for case.
        """
        name = name.strip()
        if not name:
            raise InvalidInput("label name is required")
        if org_id is None:
            raise InvalidInput("orgID is required")
        access.require(Permission(Action.WRITE, ResourceType.LABELS, org_id))
        with self._store.begin() as work:
            label = Label(id=self._ids.next(LabelID), org_id=org_id, name=name, properties=_kept({}, properties or {}))
            self._check_unique(label)
            rows.add_label(work.connection, label.id, label.org_id, label.name, label.name_key, label.properties)
            self._publish(work, [*self._now.all, label])
            return label

    def update(
        self,
        access: Access,
        label_id: LabelID,
        *,
        name: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> Label:
        """Change what is given: properties merge, an empty one is removed, an empty name changes nothing.

        Raises:
            NotFound: `label not found`.
            Unauthorized: Without permission to write it.
            Conflict: The organization has another of that name, but for case.
        """
        with self._store.begin() as work:
            label = _get(self._now, label_id)
            access.require(label.permission(Action.WRITE))
            if name is not None and name.strip():
                label = replace(label, name=name.strip())
                self._check_unique(label)
            if properties:
                label = replace(label, properties=_kept(label.properties, properties))
            rows.replace_label(work.connection, label.id, label.name, label.name_key, label.properties)
            self._publish(work, [label if one.id == label_id else one for one in self._now.all])
            return label

    def delete(self, access: Access, label_id: LabelID) -> None:
        """Delete a label and detach it from everything.

        Raises:
            NotFound: `label not found`.
            Unauthorized: Without permission to write it.
        """
        with self._store.begin() as work:
            access.require(_get(self._now, label_id).permission(Action.WRITE))
            rows.delete_label(work.connection, label_id)
            self._publish(work, [one for one in self._now.all if one.id != label_id])

    def attach(
        self, access: Access, kind: ResourceType, resource_id: ID, label_id: LabelID, wanted: Permission
    ) -> Label:
        """Attach a label to a resource.

        Args:
            access: The caller's.
            kind: The resource's.
            resource_id: Must exist.
            label_id: Which label.
            wanted: What changing the resource needs.

        Raises:
            NotFound: `label not found`.
            Unauthorized: Without permission to write both.
            Conflict: It is attached already.
        """
        with self._store.begin() as work:
            label = _get(self._now, label_id)
            access.require(label.permission(Action.WRITE))
            access.require(wanted)
            if (resource_id, label_id) in self._now.attached:
                raise Conflict("Cannot add label, label already exists on resource")
            rows.attach_label(work.connection, kind, resource_id, label_id)
            self._publish(work, self._now.all, self._now.attached | {(resource_id, label_id)})
            return label

    def detach(self, access: Access, resource_id: ID, label_id: LabelID, wanted: Permission) -> None:
        """Detach a label; harmless where it is not attached.

        Raises:
            NotFound: `label not found`.
            Unauthorized: Without permission to write both.
        """
        with self._store.begin() as work:
            access.require(_get(self._now, label_id).permission(Action.WRITE))
            access.require(wanted)
            rows.detach_label(work.connection, resource_id, label_id)
            self._publish(work, self._now.all, self._now.attached - {(resource_id, label_id)})

    def _check_unique(self, label: Label) -> None:
        taken = self._now.find_by_key(label.org_id, label.name_key)
        if taken is not None and taken.id != label.id:
            raise Conflict(f"label with name {label.name} already exists")

    def _publish(
        self, work: UnitOfWork, labels: Iterable[Label], attached: Iterable[tuple[ID, LabelID]] | None = None
    ) -> None:
        work.emit(_LabelsChanged(LabelSnapshot(labels, self._now.attached if attached is None else attached)))

    def _follow(self, events: tuple[Event, ...]) -> None:
        gone: set[ID] = set()
        orgs: set[OrgID] = set()
        for event in events:
            match event:
                case _LabelsChanged():
                    self._now = event.now
                case BucketDeleted():
                    gone.add(event.bucket_id)
                case DocumentDeleted():
                    gone.add(event.id)
                case OrganizationDeleted():
                    orgs.add(event.org_id)
                case RecordsReplaced():
                    self._now = self._load()
                case _:
                    pass
        if gone or orgs:
            self._now = LabelSnapshot(
                (one for one in self._now.all if one.org_id not in orgs),
                (pair for pair in self._now.attached if pair[0] not in gone),
            )


def _get(now: LabelSnapshot, label_id: LabelID) -> Label:
    label = now.by_id.get(label_id)
    if label is None:
        raise NotFound("label not found")
    return label


def _kept(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in {**old, **new}.items() if value}
