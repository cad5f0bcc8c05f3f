"""The shop's other shelves: children's books and non-fiction, eight themes told twice."""

from __future__ import annotations

from winnow.bookshop.theme import Theme

LIFE: tuple[Theme, ...] = (
    Theme(
        name="picture book",
        readers=(
            "illustrated stories to read aloud at bedtime",
            "toddler favourites with bright art and rhyme",
            "early readers for small children",
            "nursery-age tales about animals and feelings",
        ),
        asides=(
            "buys picture books for a niece",
            "reads to the infants' class as a volunteer",
        ),
        heroes=("a shy hedgehog", "a bear cub", "a small red tractor", "a duckling"),
        places=(
            "in the vegetable patch",
            "under the big blanket",
            "at the pond",
            "on the first day of kindergarten",
        ),
        plots=(
            "cannot fall asleep until the moon says good night",
            "learns to share a puddle with a noisy frog",
            "counts to ten with flaps to lift on every page",
            "loses a mitten and makes six friends",
            "is afraid of the dark and finds a firefly",
        ),
        titles=("Goodnight", "Puddle", "Mitten", "Hedgehog", "Little Boat", "Wobble"),
    ),
    Theme(
        name="popular science",
        readers=(
            "clear explanations of physics and the cosmos for lay people",
            "science writing on evolution, brains and particles",
            "curious facts about how nature works, with the evidence",
            "books by researchers who can explain their field",
        ),
        asides=(
            "follows a weekly podcast on physics and biology",
            "volunteers at the science museum",
        ),
        heroes=("a cosmologist", "a neuroscientist", "a Nobel chemist", "an ecologist of microbes"),
        places=("inside the cell", "at the collider", "from quarks to quasars", "in the genome"),
        plots=(
            "explains why time runs only one way",
            "traces what entropy says of life",
            "retells the experiments that proved the quantum strange",
            "shows how neurons turn noise into memory",
            "weighs what telescopes say of dark matter",
        ),
        titles=("Entropy", "Neuron", "Photon", "Universe", "Gene", "Infinity"),
    ),
    Theme(
        name="gardening",
        readers=(
            "growing things: borders, compost and kitchen plots",
            "practical advice for a small backyard with poor soil",
            "seasonal planting guides and plant lore",
            "everything about roses, seeds and pruning",
        ),
        asides=(
            "keeps an allotment that is always short of ideas",
            "has lately caught the gardening bug",
        ),
        heroes=("a head gardener", "a nurserywoman", "a no-dig pioneer", "a balcony botanist"),
        places=(
            "in heavy clay",
            "through twelve months",
            "on a windy terrace",
            "behind old brick walls",
        ),
        plots=(
            "shares how to sow, mulch and stake perennials",
            "plans beds that flower from March to frost",
            "tells which heirloom tomatoes deserve the greenhouse",
            "cures blackspot without a spray",
            "turns a lawn into a meadow of wildflowers",
        ),
        titles=("Border", "Compost", "Seedbed", "Perennials", "Greenhouse", "Hedgerow"),
    ),
    Theme(
        name="home cooking",
        readers=(
            "cookbooks with honest weeknight dishes",
            "recipes from many cuisines and the stories behind them",
            "baking bread and cakes at the weekend",
            "food writing that makes one hungry",
        ),
        asides=(
            "is teaching a teenager to cook",
            "hosts a supper club now and then and wants new recipes",
        ),
        heroes=(
            "a Roman trattoria owner",
            "a pastry chef",
            "a Bengali home cook",
            "a sourdough baker",
        ),
        places=(
            "in one pan",
            "from a tiny stove",
            "for a crowded table",
            "with what the market has",
        ),
        plots=(
            "teaches eighty stews, roasts and braises",
            "gives the ratios for dough that never fails",
            "spices lentils five ways for under an hour",
            "whips, folds and glazes the classics of the patisserie",
            "pickles, ferments and preserves a summer glut",
        ),
        titles=("Larder", "Skillet", "Crumb", "Saffron", "Feast", "Broth"),
    ),
    Theme(
        name="military history",
        readers=(
            "accounts of the world wars, strategy and soldiers",
            "campaign histories with generals, maps and archives",
            "how battles were won and what they cost",
            "twentieth-century conflict told by those who fought",
        ),
        asides=(
            "builds model tanks and checks the facts about the war",
            "visits old battlefields with a grandfather",
        ),
        heroes=(
            "a tank commander",
            "an archival historian",
            "a field surgeon",
            "a codebreaker's daughter",
        ),
        places=(
            "at Stalingrad",
            "on the Normandy beaches",
            "across the Somme",
            "in the Pacific theatre",
        ),
        plots=(
            "reconstructs the siege from regimental diaries",
            "argues that supply lines decided the offensive",
            "follows one infantry company to the armistice",
            "reveals the blunder behind the retreat",
            "records the bombardment hour by hour",
        ),
        titles=("Offensive", "Trench", "Regiment", "Armistice", "Front", "Siege"),
    ),
    Theme(
        name="mountain travel",
        readers=(
            "true tales of climbers, polar treks and endurance",
            "adventure memoirs from wild and high places",
            "travel writing on foot, far from roads",
            "expeditions that go wrong and who comes back",
        ),
        asides=(
            "dreams over expedition memoirs before each hike",
            "goes bouldering and borrows climbers' stories",
        ),
        heroes=("an alpinist", "a solo walker", "a sherpa", "a polar guide"),
        places=(
            "on the Eiger",
            "across Patagonia",
            "at eight thousand metres",
            "over the Greenland ice cap",
        ),
        plots=(
            "survives four nights in a storm-torn bivouac",
            "turns back an hour below the summit",
            "pulls a sledge nine hundred kilometres alone",
            "loses a rope-mate and learns to trek again",
            "crosses the pass by the old salt caravan path",
        ),
        titles=("Ridge", "Bivouac", "Summit", "Crevasse", "Traverse", "Base Camp"),
    ),
    Theme(
        name="music biography",
        readers=(
            "lives of jazz players, composers and rock bands",
            "backstage stories and how great records were made",
            "musicians' memoirs, the drugs and the genius",
            "anything about songwriting and the people behind the sound",
        ),
        asides=(
            "plays bass in a covers band and reads about its heroes",
            "collects vinyl and the stories behind it",
        ),
        heroes=(
            "a bebop trumpeter",
            "a session drummer",
            "a punk frontwoman",
            "a forgotten composer",
        ),
        places=("in Harlem clubs", "at Abbey Road", "on an endless tour bus", "in Leipzig"),
        plots=(
            "cuts the album that ends the group",
            "hears a symphony that the critics buried",
            "kicks heroin and finds the blue note again",
            "fights the label over forty minutes of tape",
            "writes the anthem on a borrowed guitar",
        ),
        titles=("Blue Note", "Encore", "Feedback", "Nocturne", "Groove", "Backbeat"),
    ),
    Theme(
        name="business and habits",
        readers=(
            "advice on leadership, money and getting things done",
            "lessons of founders and investors for their own firm",
            "self-improvement with checklists and case studies",
            "productivity and how to manage a team",
        ),
        asides=(
            "was promoted last year and wants to lead a team well",
            "thinks of starting a company and reads up on it",
        ),
        heroes=(
            "a serial entrepreneur",
            "a turnaround executive",
            "a behavioural economist",
            "an executive coach",
        ),
        places=("in Silicon Valley", "in ninety days", "on one page", "from the boardroom"),
        plots=(
            "shows how tiny routines compound into careers",
            "tells how the start-up burned its funding and recovered",
            "gives a framework for meetings that decide",
            "explains pricing, margins and why customers leave",
            "teaches delegation and feedback that staff accept",
        ),
        titles=("Momentum", "Leverage", "Focus", "Margin", "Scale", "Playbook"),
    ),
)
