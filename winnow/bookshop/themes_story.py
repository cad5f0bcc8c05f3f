"""The shop's fiction: eight themes, each told once by its readers and once by its blurbs."""

from __future__ import annotations

from winnow.bookshop.theme import Theme

STORY: tuple[Theme, ...] = (
    Theme(
        name="puzzle mystery",
        readers=(
            "locked-room puzzles and dry detectives",
            "fair-play whodunits where every clue is on the page",
            "sleuths who solve a crime over a pot of tea",
            "golden-age detection with a closed circle of suspects",
        ),
        asides=(
            "swaps old whodunits with a neighbour",
            "listens to classic detective plays on the drive home",
        ),
        heroes=("a village constable", "a retired piano teacher", "a junior curate", "a widow"),
        places=("in a sealed library", "at a snowbound manor", "aboard a night ferry", "at a fete"),
        plots=(
            "untangles a murder that nobody could have committed",
            "notices that the victim's watch tells the wrong hour",
            "must name the poisoner among seven dinner guests",
            "finds that every alibi leans on the same lie",
            "reads the guilty hand in a misplaced chess piece",
        ),
        titles=("Candle", "Alibi", "Key", "Vicarage", "Inquest", "Tea Room"),
    ),
    Theme(
        name="space opera",
        readers=(
            "sprawling science fiction with starships and rival empires",
            "first contact and the politics of far-off worlds",
            "big-idea futures set between the stars",
            "galactic adventure with odd crews and odder aliens",
        ),
        asides=(
            "has a soft spot for anything with a spaceship on the cover",
            "rereads old science fiction with an astronomy club",
        ),
        heroes=("a smuggler captain", "a cloned envoy", "a salvage pilot", "a mutinous navigator"),
        places=(
            "on a derelict orbital",
            "beyond the last jump gate",
            "around a dying sun",
            "in deep vacuum",
        ),
        plots=(
            "carries a treaty that two fleets want burnt",
            "wakes an intelligence older than the colonies",
            "trades a reactor for the freedom of a moon",
            "hears a signal answer in a dead crew's voices",
            "is the only witness to the fall of a dynasty",
        ),
        titles=("Orbit", "Armada", "Starfall", "Helix", "Perihelion", "Beacon"),
    ),
    Theme(
        name="epic fantasy",
        readers=(
            "long sagas of magic with maps in the front",
            "dragons, prophecies and unlikely companions on the road",
            "secondary worlds with deep lore and spellcraft",
            "sword-and-sorcery quests that fill a thousand pages",
        ),
        asides=(
            "runs a tabletop campaign full of wizards on Fridays",
            "collects illustrated volumes about dragons",
        ),
        heroes=("a goatherd", "an exiled queen", "a hedge witch", "a one-handed knight"),
        places=(
            "beneath a glass mountain",
            "in a drowned kingdom",
            "at the edge of the elder wood",
            "in a city of bells",
        ),
        plots=(
            "binds a wyrm by its true name",
            "inherits a throne that eats its kings",
            "bargains with the rune-smiths for one more winter",
            "carries an ember that the old gods want back",
            "breaks the oath that holds the dead asleep",
        ),
        titles=("Crown", "Ember", "Oathstone", "Wyrm", "Thorn", "Runes"),
    ),
    Theme(
        name="regency romance",
        readers=(
            "love stories in period dress with sparkling banter",
            "slow-burning courtships where manners hide longing",
            "happily-ever-afters among dukes and debutantes",
            "historical romance with a heroine who answers back",
        ),
        asides=(
            "never misses a costume-drama love story",
            "keeps a guilty drawer of historical romances",
        ),
        heroes=(
            "an impoverished governess",
            "a scandalous viscount",
            "a spinster of twenty-six",
            "a reluctant heiress",
        ),
        places=(
            "in Bath",
            "at a Mayfair ball",
            "on a Derbyshire estate",
            "during one London season",
        ),
        plots=(
            "agrees to a sham engagement and forgets to pretend",
            "wagers a kiss on a curricle race",
            "writes letters to a rake who is not supposed to reply",
            "must choose between a title and a tender heart",
            "dances every waltz with the man her aunt forbids",
        ),
        titles=("Waltz", "Duke", "Promise", "Bonnet", "Engagement", "Rake"),
    ),
    Theme(
        name="nordic noir",
        readers=(
            "bleak Scandinavian crime with weary police inspectors",
            "serial-killer investigations in the cold and the dark",
            "gritty procedurals that look under a welfare state's surface",
            "forensic detail and damaged cops",
        ),
        asides=(
            "binges subtitled police series in winter",
            "takes one grim police procedural on every holiday",
        ),
        heroes=(
            "a burnt-out inspector",
            "a pathologist",
            "a suspended officer",
            "a crime reporter",
        ),
        places=("in a frozen harbour", "outside Malmo", "on a Baltic island", "in a Bergen suburb"),
        plots=(
            "links three bodies found under the ice",
            "reopens the case that ended a marriage",
            "hunts a man who mails evidence to the station",
            "learns that a colleague altered the file",
            "finds the missing girl's phone still ringing",
        ),
        titles=("Ice", "Cold Case", "Fjord", "Witness", "Silence", "Harbour"),
    ),
    Theme(
        name="ghost story",
        readers=(
            "haunted houses and a slow creeping dread",
            "gothic chills best read by lamplight",
            "uncanny horror that suggests more than it shows",
            "tales of spirits that will not rest",
        ),
        asides=(
            "tells spooky tales at the campfire every autumn",
            "saves something frightening for the end of October",
        ),
        heroes=("a night nurse", "an orphaned heir", "a sceptical medium", "a caretaker"),
        places=(
            "in a shuttered asylum",
            "at a moorland rectory",
            "in a house with one room too many",
            "beside a black lake",
        ),
        plots=(
            "hears footsteps in the nursery long since bricked up",
            "develops photographs with a stranger in each",
            "discovers whose portrait turns to the wall",
            "is visited each midnight by the drowned bride",
            "finds a diary that is still being written",
        ),
        titles=("Shade", "Hollow", "Visitor", "Nursery", "Seance", "Shroud"),
    ),
    Theme(
        name="spy thriller",
        readers=(
            "espionage with double agents and moral fog",
            "page-turners of conspiracy, chases and state secrets",
            "cold-war intrigue and tradecraft",
            "political suspense where nobody can be trusted",
        ),
        asides=(
            "watches every remake of the old spy classics",
            "grabs an espionage paperback at each airport",
        ),
        heroes=("a disgraced handler", "an interpreter", "a sleeper courier", "a ministry clerk"),
        places=(
            "in divided Berlin",
            "at an embassy in Vienna",
            "on the Istanbul express",
            "in a safe house",
        ),
        plots=(
            "must bring a defector across before dawn",
            "intercepts a cable naming the mole in the service",
            "has nine hours to stop an assassination",
            "is burned by the agency and goes to ground",
            "exchanges a microfilm for a hostage",
        ),
        titles=("Defector", "Cipher", "Dead Drop", "Protocol", "Courier", "Checkpoint"),
    ),
    Theme(
        name="family saga",
        readers=(
            "quiet novels about siblings, mothers and what goes unsaid",
            "multigenerational stories of home and inheritance",
            "literary fiction about marriages under strain",
            "character studies of ordinary households over decades",
        ),
        asides=(
            "joins a book group for literary novels about families",
            "gives generational novels to a mother-in-law",
        ),
        heroes=(
            "an eldest daughter",
            "a returning son",
            "a grandmother",
            "a pair of estranged twins",
        ),
        places=(
            "on a failing dairy farm",
            "in a terraced street in Leeds",
            "in a flat above the bakery",
            "at the summer cottage",
        ),
        plots=(
            "sells the house and unpacks forty years of grudges",
            "reads the will and learns of a second wife",
            "nurses a father who no longer knows the children",
            "cooks one last Christmas dinner before the divorce",
            "keeps a promise made at a cradle",
        ),
        titles=("Orchard House", "Inheritance", "Daughters", "Kitchen", "Homecoming", "Letters"),
    ),
)
